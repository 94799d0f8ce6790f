// Package noloss proves that no source loses an event: its test kills the process
// that reads, with SIGKILL and again and again, in the middle of a burst, and
// compares what was sent with what was recorded. There is nothing else in it.
//
//	go test ./internal/noloss                                  5,000 events, ten kills each
//	EDRPIPE_NOLOSS=100000 go test -v -timeout 9m ./internal/noloss
package noloss
