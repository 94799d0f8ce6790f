package bus

import (
	"testing"
	"time"
)

// TestClockKeepsTheBetterReading: how far the bus's time is taken to be from our own
// after each answer, in milliseconds.
func TestClockKeepsTheBetterReading(t *testing.T) {
	type answer struct {
		after    time.Duration // since the first
		ahead    int           // the bus's clock is, by this answer
		off      int           // as much as it may be wrong
		want     int
		whatItIs string
	}
	begun := time.Now()
	c := &Clock{}
	if d := c.Now().Sub(begun); d < 0 || d > time.Minute {
		t.Errorf("before the first answer it is %v later than our own time", d)
	}
	for _, a := range []answer{
		{0, 5000, 100, 5000, "the first answer"},
		{time.Second, 5090, 150, 5000, "a slower one that agrees"},
		{2 * time.Second, 5020, 20, 5020, "a quicker one"},
		{3 * time.Second, 9000, 900, 9000, "a slow one that contradicts"},
		{4 * time.Second, 8200, 10, 8200, "a quick one that agrees with it"},
		{5 * time.Second, 8290, 100, 8200, "a slow one again"},
		{time.Hour, 8290, 100, 8290, "after an hour of drift"},
		{time.Hour, -3_600_000, 10, -3_600_000, "the bus's clock was set back"},
	} {
		here := begun.Add(a.after)
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		c.take(reading{here: here, there: here.Round(0).Add(ms(a.ahead)), off: ms(a.off)})
		if got := c.last.Load().at(here).Sub(here.Round(0)); got != ms(a.want) {
			t.Errorf("%s: ahead by %v, want %v", a.whatItIs, got, ms(a.want))
		}
	}
}
