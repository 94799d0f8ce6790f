package edrsim

import (
	"math"
	"net"
	"sync"
	"time"
)

// rateLimit is a sliding window of requests for each source address. Refused
// requests count too, which is how asking again makes the wait longer.
type rateLimit struct {
	clock  *clock
	limit  int // 0: there is none
	window time.Duration

	mu   sync.Mutex
	seen map[string][]time.Time // the last limit requests by address, oldest first
}

func newRateLimit(quirk string, clock *clock) *rateLimit {
	l := &rateLimit{clock: clock, seen: map[string][]time.Time{}}
	if quirk != "off" {
		l.limit, l.window, _ = parseRate(quirk) // validated
	}
	return l
}

// refuse counts a request and reports whether it is beyond the limit, and after how many
// seconds the address may send the next one.
func (l *rateLimit) refuse(address string) (after int, limited bool) {
	if l.limit == 0 {
		return 0, false
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.seen[host]
	for len(times) > 0 && now.Sub(times[0]) >= l.window {
		times = times[1:]
	}
	times = append(times, now)
	if limited = len(times) > l.limit; limited {
		times = times[1:]
		after = int(math.Ceil((l.window - now.Sub(times[0])).Seconds())) + 1
	}
	l.seen[host] = times
	return after, limited
}
