// Package chaos proves that edrpipe keeps its promises while everything around
// it, and it itself, fails. Its tests run the whole service as processes of
// their own against a simulated EDR server and a bus, kill them with SIGKILL,
// stop them, cut and delay their connections, fill the bus's disk, and let the
// EDR server lie; a checker then compares what was accepted with the job
// records, the result stream and what the simulated endpoints have executed.
// There is nothing but tests in it.
//
//	go test ./internal/chaos              short, with every change
//	make chaos                            the long form, at least 1,000 faults
//	make scale                            three bus nodes, one to three replicas
//	make load, make soak, make figures    numbers
//
// A run prints its seed; CHAOS_SEED=n repeats the schedule of faults. What the
// operating system then does in between is not repeated.
package chaos
