// Package events says what happened on an endpoint: the one typed Event that
// rules read, and the decoders that make it from the forms in which an EDR's
// events arrive (bus JSON, protobuf, sensor bundles, event-forwarder lines,
// Carbon Black Cloud forwarder lines).
//
// Bytes become a Message (what a source delivered), and a Message becomes one
// or more Events. Nothing in this package knows of rules, jobs or the bus.
package events
