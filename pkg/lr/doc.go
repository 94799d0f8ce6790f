// Package lr is a client of Carbon Black EDR's REST API: sensors, isolation,
// hash banning, and all of Live Response.
//
// A Client is one server; it implements edr.Server, edr.Isolator and edr.HashBanner.
// Client.OpenSession gives a Session of one's own, Client.Join takes part in
// whatever session the sensor has. A Session never re-creates itself. Who wants
// that uses an Endpoint, which opens a session at first use and again when the
// server has dropped it, and redoes an upload together with the command that
// needs it.
//
// Reads are repeated after passing faults. A command that changes the endpoint
// is never repeated blindly: when its request got no usable answer the session's
// command list decides, and where that cannot decide either the error is
// edr.ErrAmbiguous. See docs/live-response.md.
package lr
