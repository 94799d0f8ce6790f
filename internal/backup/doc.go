// Package backup writes the state of a service to one file and reads it back onto
// an empty bus: job records, control, audit, results, history and dead letters,
// and optionally the collected files. Events are not state and are left out.
//
// The file is gzip'ed JSON, one value a line: a header, each record with its stream, and
// a trailer with the number of records and the SHA-256 of all lines before it. An import
// verifies the whole file before its first write to the bus.
package backup
