// Package jetstream carries EDR events over NATS JetStream: Source reads them
// from a stream, Publisher puts messages of any other source onto one, and
// DeadLetters keeps what could not be used.
//
// A message keeps its body byte for byte. What the transport said of it travels
// in headers: Content-Type, Cb-Exchange, Cb-Routing-Key, the sensor headers of the
// raw exchange, and Nats-Msg-Id for the stream's duplicate window. Subjects are
// edr.events.<server>.<routing key>, with the routing key word for word, and
// edr.events.<server>.raw.<sensor id> for the raw exchange.
package jetstream
