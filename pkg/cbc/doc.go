// Package cbc is a client of Carbon Black Cloud: devices, quarantine, reputation
// overrides, alerts, and all of Live Response v6.
//
// A Client is one organisation on one host; it implements edr.Server, edr.Isolator,
// edr.HashBanner and the alert powers of pkg/edr. Client.OpenSession gives a Session
// of one's own. A Session never re-creates itself.
//
// The product counts requests by source address and punishes those that come after
// a refusal. All clients of a host should therefore share one Limiter: each request
// takes a token from its bucket, and an answer 429 stops all of them until the time
// that it names. Waiting pauses grow, so that polling leaves room for work.
//
// Reads are repeated after passing faults. A command that changes the endpoint is
// never repeated blindly: when its request got no usable answer the session's
// command list decides, and where that cannot decide either the error is
// edr.ErrAmbiguous. No request ever acts on what a search or criteria find: a device
// action names one device, a change of an alert names one alert.
package cbc
