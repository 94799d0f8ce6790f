// Package workload makes up a fleet's events and rules to look for among them,
// for benchmarks: the same for the same seed, names by Zipf's law, few matches.
// The events are lines of the event forwarder or sensor messages in protobuf,
// of several hundred to 1,500 bytes as JSON; the rules have the mixture of
// fields and operators that is usual in public collections.
package workload
