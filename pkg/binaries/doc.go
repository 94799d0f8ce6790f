// Package binaries remembers the metadata of executable images by their hashes. The EDR
// reports it once per binary, apart from the events of processes; rules read it as
// image.* of an event.
//
// Metadata comes from events that describe a binary, from the other replicas, and from
// the server's API for a hash on which a rule hangs: one request a hash, at a bounded
// rate. What was learned is written to a log that all replicas share and that is
// bounded in bytes; the memory holds at most as much, and gives up the oldest.
package binaries
