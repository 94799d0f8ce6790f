package listsource

import (
	"slices"
	"time"
)

// Entry is a value with the time in which it is valid. A value may have several entries.
type Entry struct {
	Value string    `json:"value"`
	From  time.Time `json:"from,omitzero"`  // zero: from the beginning
	Until time.Time `json:"until,omitzero"` // the first moment that it is not valid; zero: without end
}

func (e Entry) validAt(now time.Time) bool {
	return !now.Before(e.From) && (e.Until.IsZero() || now.Before(e.Until))
}

// valid returns the values that are valid at a time, sorted, each once.
func valid(entries []Entry, now time.Time) []string {
	var values []string
	for _, e := range entries {
		if e.validAt(now) {
			values = append(values, e.Value)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// without counts the values that others, which are sorted, lack.
func without(values, others []string) int {
	n := 0
	for _, v := range values {
		if _, found := slices.BinarySearch(others, v); !found {
			n++
		}
	}
	return n
}

// turn returns the first time after now at which an entry becomes valid or ends; zero:
// there is none.
func turn(entries []Entry, now time.Time) time.Time {
	var first time.Time
	for _, e := range entries {
		for _, at := range []time.Time{e.From, e.Until} {
			if at.After(now) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}
