package pager

import (
	"fmt"
	"strings"
	"time"
)

// Quiet is the hours of each day, by the machine's clock, in which only what cannot
// wait is sent. The zero value holds nothing back.
type Quiet struct{ from, to int } // minutes of the day

// ParseQuiet reads hours such as 22:00-06:00; "" means none.
func ParseQuiet(s string) (Quiet, error) {
	if s == "" {
		return Quiet{}, nil
	}
	from, to, ok := strings.Cut(s, "-")
	a, errA := time.Parse("15:04", strings.TrimSpace(from))
	b, errB := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || errA != nil || errB != nil {
		return Quiet{}, fmt.Errorf("%q is not of the form 22:00-06:00", s)
	}
	return Quiet{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}, nil
}

// Holds reports whether the time is in the hours.
func (q Quiet) Holds(t time.Time) bool {
	t = t.Local()
	m := t.Hour()*60 + t.Minute()
	if q.from <= q.to {
		return m >= q.from && m < q.to
	}
	return m >= q.from || m < q.to
}
