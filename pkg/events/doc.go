// Package events says what happened on an endpoint: the one typed Event that
// rules read, and the decoders that make it from the forms in which an EDR's
// events arrive (bus JSON, protobuf, sensor bundles, event-forwarder lines,
// Carbon Black Cloud forwarder lines).
//
// Bytes become a Message (what a source delivered), and a Decoder makes of a
// Message one or more Events, or a Reject for what it can not use. A Scanner
// does the same for a few fields only. Nothing in this package knows of rules,
// jobs or the bus.
//
// # How decoding is laid out
//
// form.go tells what a message's bytes are. JSON is walked once, by the lexer,
// which notes where the values of interesting keys lie; then the rows of the
// event's shape turn them into fields. A shape is a few tables of rows
// (server.go, forwarder.go, cloud.go), and a row names a field, the keys that it
// may stand under, and a conversion. The Scanner runs a part of the same rows.
// To take another JSON format is to write another such file.
//
// Raw sensor events are protobuf: protobuf.go looks at the outer tags,
// sensorreading.go and sensorbodies.go read the rest by the numbers of
// sensorevents.proto. bundle.go holds what contains many of them.
package events
