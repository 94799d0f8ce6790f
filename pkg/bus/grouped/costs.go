package grouped

import "time"

// costs are what the two ways of writing have lately taken. For a batch the server
// makes a store of its own, on its disk where it keeps no copies; it then flushes
// once. One by one costs little where the server flushes now and then, and much
// where it does so each time. Which it does nobody can ask.
type costs struct {
	batch  cost // as a whole: its messages add little
	single cost // each of several that are under way at once
}

// Before there is experience: one by one, unless that proves slow.
const (
	batchAtFirst  = 15 * time.Millisecond
	singleAtFirst = 50 * time.Microsecond
)

// together tells whether a batch is the quicker way to write so many.
func (c *costs) together(n int) bool {
	return n > 1 && time.Duration(n)*c.single.or(singleAtFirst) > c.batch.or(batchAtFirst)
}

// cost is a moving average; zero: nothing was seen yet.
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
