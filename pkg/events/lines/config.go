package lines

import (
	"cmp"
	"time"

	"github.com/rs/zerolog"
)

// Limits that all sources of this package have. Zero fields take the values in
// brackets.
type Limits struct {
	Line    int           // longest line in bytes; the rest of a longer one is cut off [1 MiB]
	Pending int           // unsettled lines, beyond which nothing more is read [1000]
	Retry   time.Duration // wait before a line that failed is handed over again [1 s]
	Drain   time.Duration // wait for unsettled lines when reading is stopped [10 s]
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Line:    cmp.Or(l.Line, 1<<20),
		Pending: cmp.Or(l.Pending, 1000),
		Retry:   cmp.Or(l.Retry, time.Second),
		Drain:   cmp.Or(l.Drain, 10*time.Second),
	}
}

// Origin is what all sources of this package are told of themselves.
type Origin struct {
	Server string // name of the EDR server
	Log    zerolog.Logger
}
