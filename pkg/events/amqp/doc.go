// Package amqp reads events from the bus of an EDR server, RabbitMQ on port 5004.
//
// It takes care not to harm that server: exchanges are looked for and never made,
// and the queue of its own is bounded in bytes, lets its oldest messages go when
// it is full, and disappears when nobody has read it for a while. The EDR server
// publishes transient messages: from queue to handler nothing is lost, from
// sensor to queue it is best effort.
package amqp
