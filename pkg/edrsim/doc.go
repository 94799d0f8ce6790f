// Package edrsim is a simulated Carbon Black EDR server: the REST API of
// versions 5.1 to 7.x as its clients see it, with a fleet of fake endpoints that
// have files, a registry and processes, and that commands change.
//
// A test gets a server in one line and talks to it as to the real one:
//
//	sim := edrsim.New(edrsim.Config{TimeScale: 100}).Start()
//	defer sim.Close()
//	// sim.URL, sim.Token
//
// What is not known of the real server, and what differs between its versions,
// is a quirk that can be set either way; what goes wrong on a network is a fault
// that is injected at a rate, reproducibly from a seed.
//
// Nothing runs in the background. The simulation is a sequence of dated events
// (check-ins, command starts and ends, time-outs) which each request first plays
// up to its own moment. That makes 10,000 sensors cheap, results independent of
// scheduling, and the package usable inside a testing/synctest bubble.
package edrsim
