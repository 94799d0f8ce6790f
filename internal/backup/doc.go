// Package backup writes the state of a service to one file and reads it back onto
// an empty bus: job records, control, audit, results, history and dead letters,
// and the collected files where wanted. Events are not state: they pass through.
//
// The file is gzip'ed JSON, a value a line: a header, each record with the stream
// it came from, and an end with the number of records and the SHA-256 of all that
// precedes. Nothing is written to a bus before the whole file has been verified.
package backup
