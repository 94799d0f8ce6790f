// Package durability consists of tests: they prove that the service loses no event and
// repeats no effect. They kill the whole service repeatedly with SIGKILL during a burst
// of events and a queue of jobs. Then they compare the events sent with the records on
// the bus and the commands that the simulated endpoints have executed.
//
//	go test ./internal/durability                                     1,200 events, three kills on each route
//	EDRPIPE_DURABILITY=100000 go test -v -timeout 30m ./internal/durability   that many, ten kills
package durability
