package events

import (
	"context"
	"time"
)

// Message is what a source delivered, before decoding: the bytes and the transport's
// headers.
type Message struct {
	ID          string // by which a bus recognises the message when it comes again; may be empty
	Body        []byte
	ContentType string            // application/json, application/protobuf, application/zip, or empty
	Exchange    string            // api.events, api.rawsensordata, or empty
	RoutingKey  string            // the EDR's routing key, with its database ids
	Headers     map[string]string // sensorId, hostId, nodeId, sensorHostName and the like
	Transport   string            // nats, amqp, http, tcp, file, …
	Server      string            // configured name of the EDR server
	Received    time.Time

	// Settle ends our responsibility for the message. Nil: everything in it is
	// safe with us (or can never be used) and the source may forget it. An error:
	// deliver it again later. It is called exactly once, and may be nil for
	// sources that cannot redeliver.
	Settle func(error)
}

// A Source delivers messages at least once. Read calls handle for each message,
// in the source's order, until ctx ends (then it returns nil) or the source can
// not go on. A source reconnects by itself; errors that it returns are final. An
// error of handle is one: it ends the reading, and the message, which handle then
// need not settle, comes again to the next reader.
// Handle may keep the message: the source bounds how many are unsettled.
type Source interface {
	Name() string
	Read(ctx context.Context, handle func(context.Context, Message) error) error
	Close() error
}
