package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/events"
)

// listsDirectory is the directory beside rule files that has their lists.
const listsDirectory = "lists"

// factsEvery is how often all endpoints are looked through for the facts that guards read.
const factsEvery = time.Minute

// toldFacts are the facts that are known of at least one endpoint, as read at a time.
type toldFacts struct {
	at    time.Time
	facts events.Facts
}

// readTold looks through the endpoints now and then, when those of every server are known.
func (s *Service) readTold(ctx context.Context) {
	if known := s.told.Load(); known != nil && time.Since(known.at) < factsEvery {
		return
	}
	var told events.Facts
	for _, m := range s.members {
		if !m.Directory.Whole() {
			return
		}
		told |= m.Directory.Told(ctx)
	}
	s.told.Store(&toldFacts{time.Now(), told})
}

// guardFactsHealth names the guards that read a fact which is known of no endpoint: they
// hold every action that they are for.
func (s *Service) guardFactsHealth() health.Check {
	const name = "guard_facts"
	reads := s.guard.Policy().Reads()
	known := s.told.Load()
	switch {
	case len(reads) == 0:
		return health.Good(name, "")
	case known == nil:
		return health.Bad(name, health.Unknown, "see what the checks of the EDR servers say", "the endpoints of the EDR servers have not been read yet")
	}
	var text []string
	for _, guard := range slices.Sorted(maps.Keys(reads)) {
		if missing := reads[guard] &^ known.facts; missing != 0 {
			text = append(text, fmt.Sprintf("%s reads %s", guard, missing))
		}
	}
	if len(text) == 0 {
		return health.Good(name, "")
	}
	return health.Bad(name, health.Degraded, "write these facts into the endpoints file (pipeline endpoints check), or correct the guards",
		"guards read facts that are known of no endpoint, and hold what they are for: %s", strings.Join(text, "; "))
}
