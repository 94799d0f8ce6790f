// Package durability proves that the service loses no event and does nothing twice:
// its tests kill the whole service, with SIGKILL and again and again, in the
// middle of a burst and of a queue of jobs, and afterwards compare what was sent
// with what is recorded on the bus and what the simulated endpoints have executed.
// There is nothing else in it.
//
//	go test ./internal/durability                                     1,200 events, three kills on each route
//	EDRPIPE_DURABILITY=100000 go test -v -timeout 30m ./internal/durability   that many, ten kills
package durability
