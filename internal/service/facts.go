package service

import (
	"context"
	"fmt"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/endpoints"
	"edrpipe/pkg/events"
)

// facts sets the present facts of an endpoint in a sensor, for guards and conditions of
// steps. now is the server's latest record.
func (s *Service) facts(ctx context.Context, e edr.Endpoint, now edr.Sensor, of *events.Sensor) {
	for _, m := range s.members {
		if m.Name != e.Server {
			continue
		}
		if now.ID == e.ID {
			m.Directory.Note(now)
		}
		m.Directory.Merge(ctx, e.ID, of)
		return
	}
	of.ForgetGiven() // no server that we know of says anything
}

// factsChanged notes that facts may have become known.
func (s *Service) factsChanged() {
	select {
	case s.newFacts <- struct{}{}:
	default: // it is noted already
	}
}

// followFacts has what is held for a fact looked at again when facts arrive.
func (s *Service) followFacts(ctx context.Context) {
	const (
		atMost  = time.Second      // so often: a fleet that is read one by one has many
		atLeast = 10 * time.Second // so often: a rule's max_age ends, and a server may answer again
	)
	tick := time.NewTicker(atLeast)
	defer tick.Stop()
	for {
		select {
		case <-s.newFacts:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, m := range s.members {
			m.Scheduler.FactsChanged()
		}
		s.intake.DecidePending(ctx)
		select {
		case <-time.After(atMost):
		case <-ctx.Done():
			return
		}
	}
}

// book reads the endpoints file; nil: there is none.
func (s *Service) book() (*endpoints.Book, error) {
	if s.cfg.Endpoints == "" {
		return nil, nil
	}
	b, err := endpoints.Read(s.cfg.Endpoints)
	if err != nil {
		return nil, fmt.Errorf("endpoints: %w", err)
	}
	return b, nil
}

// reloadEndpoints puts the endpoints file in force as a whole. One with mistakes leaves
// the facts as they were, and the readiness checks say so.
func (s *Service) reloadEndpoints() error {
	b, err := s.book()
	if err != nil {
		s.endpointsProblem.Store(&err)
		return err
	}
	s.endpointsProblem.Store(nil)
	for _, m := range s.members {
		m.Directory.Use(b)
	}
	if told := s.told.Load(); told != nil { // and read again at the next look
		s.told.Store(&toldFacts{facts: told.facts})
	}
	return nil
}

// endpointsHealth checks that the facts in force are those of the endpoints file.
func (s *Service) endpointsHealth() []health.Check {
	switch problem := s.endpointsProblem.Load(); {
	case s.cfg.Endpoints == "":
		return nil
	case problem != nil:
		return []health.Check{health.Bad("endpoints", health.Degraded, "mend the file: pipeline endpoints check names each mistake",
			"the newest endpoints file has mistakes and the facts from before are in force: "+(*problem).Error())}
	}
	return []health.Check{health.Good("endpoints", "")}
}
