package service

import (
	"context"
	"strings"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/guard"
)

// openBreakers are the open breakers of the rules in force, as read at a time.
type openBreakers struct {
	at  time.Time
	all []guard.Opened
}

// Times of reading the breakers, one record of each rule.
const (
	breakersEvery = 5 * time.Second
	breakersStale = time.Minute
)

// readBreakers reads the breakers of the rules in force, now and then.
func (s *Service) readBreakers(ctx context.Context) {
	if known := s.breakers.Load(); known != nil && time.Since(known.at) < breakersEvery {
		return
	}
	var rules []string
	for _, r := range s.rules.Live.Set().Rules() {
		rules = append(rules, r.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, breakersEvery)
	defer cancel()
	all, err := s.guard.Breakers(ctx, rules)
	if err != nil {
		return // breakerHealth says so when it lasts
	}
	s.breakers.Store(&openBreakers{time.Now(), all})
	s.metrics.Breakers.Reset()
	for _, b := range all {
		s.metrics.Breakers.WithLabelValues(b.Rule).Set(1)
	}
}

// breakerHealth names the rules whose breaker is open.
func (s *Service) breakerHealth() health.Check {
	known := s.breakers.Load()
	if known == nil || time.Since(known.at) > breakersStale {
		return health.Bad("breakers", health.Unknown, "see what the check of the bus says", "the breakers of the rules were not read lately")
	}
	if len(known.all) == 0 {
		return health.Good("breakers", "")
	}
	var text []string
	first := known.all[0].At
	for _, b := range known.all {
		text = append(text, b.Rule+" ("+b.Why+")")
		if b.At.Before(first) {
			first = b.At
		}
	}
	c := health.Bad("breakers", health.Degraded, "look at the jobs of the rule, then: pipeline rules reset RULE --why …", "these rules record and do not act: "+strings.Join(text, ", "))
	c.Since = first
	return c
}
