// Package lr is a client of Carbon Black EDR's REST API: sensors, isolation,
// hash banning, and all of Live Response.
//
// A Client is one server; it implements edr.Server, edr.Isolator, edr.HashBanner and
// edr.AlertCloser.
// Client.OpenSession opens a new Session, Client.Join joins the session that the
// sensor has. A Session never re-creates itself. An Endpoint does: it opens a
// session at first use, opens another after the server has dropped it, and repeats
// an upload together with the command that needs it.
//
// Reads are retried after transient faults. A command that changes the endpoint is
// never retried blindly: after a request without a usable answer the session's
// command list is read. If that does not settle it, the error is edr.ErrAmbiguous.
// See docs/live-response.md.
package lr
