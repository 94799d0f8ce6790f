// Package events defines Event, the typed record of what happened on an endpoint that
// rules read, and the decoders for the forms in which an EDR's events arrive (bus
// JSON, protobuf, sensor bundles, event-forwarder lines, Carbon Black Cloud forwarder
// lines).
//
// A source delivers a Message (bytes and transport headers). A Decoder turns it into
// one or more Events, and a Reject for each invalid part. A Scanner does the same for
// a few fields only. Rules, jobs and the bus are built on this package, never the
// other way round.
//
// # How decoding is laid out
//
// form.go detects the format of a message. JSON is walked once by the lexer, which
// records the positions of the values of relevant keys; then the rows of the event's
// shape convert them to fields. A shape is a few tables of rows (server.go,
// forwarder.go, cloud.go). A row names a field, its possible keys and a conversion.
// The Scanner runs a subset of the same rows. Another JSON format is another such
// file.
//
// Raw sensor events are protobuf: protobuf.go looks at the outer tags,
// sensorreading.go and sensorbodies.go read the rest by the numbers of
// sensorevents.proto. bundle.go holds what contains many of them.
package events
