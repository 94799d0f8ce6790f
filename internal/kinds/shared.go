package kinds

import (
	"sync"

	"edrpipe/pkg/cbc"
)

// Shared is what the servers of one process have in common. The zero value is ready.
type Shared struct {
	mu       sync.Mutex
	limiters map[string]*cbc.Limiter // by host
}

// limiter returns the token bucket of a host: the product counts the requests of an
// address, whichever organisation they are for. The first rate counts.
func (s *Shared) limiter(host string, rate float64, burst int) *cbc.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limiters[host] == nil {
		if s.limiters == nil {
			s.limiters = map[string]*cbc.Limiter{}
		}
		s.limiters[host] = cbc.NewLimiter(rate, burst)
	}
	return s.limiters[host]
}
