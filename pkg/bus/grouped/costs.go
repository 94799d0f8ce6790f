package grouped

import "time"

// costs are the recent durations of the two ways of writing. For a batch the server
// makes a temporary store (on disk for a stream with one replica) and flushes once.
// Single writes are cheap if the server flushes periodically and expensive if it
// flushes each write. The API does not expose which it does.
type costs struct {
	batch  cost // as a whole: its messages add little
	single cost // each of several that are under way at once
}

// Before there is experience: one by one, unless that proves slow.
const (
	batchAtFirst  = 15 * time.Millisecond
	singleAtFirst = 50 * time.Microsecond
)

// together reports whether a batch is the quicker way to write n messages.
func (c *costs) together(n int) bool {
	return n > 1 && time.Duration(n)*c.single.or(singleAtFirst) > c.batch.or(batchAtFirst)
}

// cost is a moving average; zero: no measurement yet.
type cost time.Duration

func (c cost) or(first time.Duration) time.Duration {
	if c == 0 {
		return first
	}
	return time.Duration(c)
}

func (c *cost) took(d time.Duration) {
	if *c == 0 {
		*c = cost(d)
		return
	}
	*c += (cost(d) - *c) / 8
}
