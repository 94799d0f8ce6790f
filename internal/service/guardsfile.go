package service

import (
	"context"
	"fmt"
	"os"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/guard"
)

// filesEvery is how often the guards file and the endpoints file are looked at.
const filesEvery = 2 * time.Second

// policy reads the guards file; none means no guards but the switches of people.
func (s *Service) policy() (*guard.Policy, error) {
	p := &guard.Policy{}
	if s.cfg.Guards != "" {
		data, err := os.ReadFile(s.cfg.Guards)
		if err != nil {
			return nil, fmt.Errorf("guards: %w", err)
		}
		if p, err = guard.Load(s.cfg.Guards, data, knownActions()); err != nil {
			return nil, err
		}
	}
	p.DryRun = p.DryRun || s.cfg.DryRun
	return p, nil
}

func knownActions() []guard.Action {
	var known []guard.Action
	for _, a := range actions.All() {
		known = append(known, guard.Action{Name: a.Spec().Name, Destructive: a.Spec().Destructive})
	}
	return known
}

// reloadGuards puts the guards file in force as a whole. One with mistakes leaves
// the guards as they were, and the readiness checks say so.
func (s *Service) reloadGuards() error {
	p, err := s.policy()
	if err != nil {
		s.guardsProblem.Store(&err)
		return err
	}
	s.guardsProblem.Store(nil)
	s.guard.Use(p)
	return nil
}

// watchGuards reloads the guards file whenever it changes.
func (s *Service) watchGuards(ctx context.Context) {
	s.watchFile(ctx, s.cfg.Guards, s.guardsChanged, "guards", s.reloadGuards)
}

// watchEndpoints reloads the endpoints file whenever it changes.
func (s *Service) watchEndpoints(ctx context.Context) {
	s.watchFile(ctx, s.cfg.Endpoints, s.endpointsChanged, "endpoints", s.reloadEndpoints)
}

// watchFile calls reload whenever a file is another than the one seen.
func (s *Service) watchFile(ctx context.Context, file string, seen time.Time, what string, reload func() error) {
	if file == "" {
		return
	}
	tick := time.NewTicker(filesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		at := modified(file)
		if at.IsZero() || at.Equal(seen) {
			continue // gone for a moment, while it is being replaced
		}
		seen = at
		if err := reload(); err != nil {
			s.log.Error().Err(err).Msgf("the %s file has mistakes; the %s from before stay in force", what, what)
			continue
		}
		s.log.Warn().Str("file", file).Msgf("new %s are in force", what)
	}
}

// modified is when a file was changed last; zero when it is not there.
func modified(file string) time.Time {
	fi, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}
