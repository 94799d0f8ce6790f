// Package outputs forwards what the service publishes, results and decisions, to places
// that do not read the bus: an HTTP collector, a syslog server, a file, a bucket.
//
// Each output has a cursor of its own, a durable consumer for each stream that all
// replicas share. A message is acknowledged when its destination has taken it: at least
// once, and a repetition has the id of the first. A destination that fails is tried
// again without end, and holds its own cursor only. What a destination refuses for its
// content becomes a dead letter.
package outputs
