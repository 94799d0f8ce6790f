package order

import "edrpipe/pkg/jobs/job"

// census counts the live jobs of each kind incrementally, so that a query does not visit
// every job.
type census struct {
	states  map[job.State]int
	reasons map[job.Reason]int // recorded ones
	sensors int                // with jobs
}

func newCensus() census { return census{states: map[job.State]int{}, reasons: map[job.Reason]int{}} }

// add counts an entry that its sensor's line has just got (1) or is about to lose (-1).
func (c *census) add(e *Entry, n int) {
	count(c.states, e.State, n)
	if e.Reason != "" {
		count(c.reasons, e.Reason, n)
	}
	if !e.Session {
		e.Sensor.plain += n
	}
	if len(e.Sensor.Jobs) == 1 {
		c.sensors += n
	}
}

// count keeps no zeros.
func count[K comparable](in map[K]int, k K, n int) {
	if in[k] += n; in[k] == 0 {
		delete(in, k)
	}
}
