// Package edrsim is a simulated Carbon Black EDR server: the REST API of
// versions 5.1 to 7.x as its clients see it, with a fleet of fake endpoints that
// have files, a registry and processes, and that commands change.
//
// A test starts a server in one line and uses it like the real one:
//
//	sim := edrsim.New(edrsim.Config{TimeScale: 100}).Start()
//	defer sim.Close()
//	// sim.URL, sim.Token
//
// Undocumented behaviour, and differences between versions, are quirks that can be set
// either way. Faults of the network are injected at a rate, reproducibly from a seed.
//
// There is no background work: this is a discrete-event simulation. Its dated events
// (check-ins, command starts and ends, time-outs) are played up to the present by each
// request. That makes 10,000 sensors cheap, results independent of scheduling, and the
// package usable inside a testing/synctest bubble.
package edrsim
