package jobs

// census is how many live jobs there are of each kind, kept as they come and go:
// whoever asks is answered without a look at every job.
type census struct {
	states  map[State]int
	reasons map[Reason]int // recorded ones
	sensors int            // with jobs
}

func newCensus() census { return census{states: map[State]int{}, reasons: map[Reason]int{}} }

// add counts an entry that its sensor's line has just got (1) or is about to lose (-1).
func (c *census) add(e *entry, n int) {
	count(c.states, e.state, n)
	if e.reason != "" {
		count(c.reasons, e.reason, n)
	}
	if !e.session {
		e.sensor.plain += n
	}
	if len(e.sensor.jobs) == 1 {
		c.sensors += n
	}
}

// count keeps no zeros.
func count[K comparable](in map[K]int, k K, n int) {
	if in[k] += n; in[k] == 0 {
		delete(in, k)
	}
}
