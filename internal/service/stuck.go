package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// stuck knows which streams of the bus take nothing. A stream that has met a full
// disk stays as it is until its server is restarted, while that server is connected
// and answers for all the others.
type stuck struct {
	mu  sync.Mutex
	why map[string]string // by stream
}

// text says which streams take nothing, and why; empty: all do.
func (s *stuck) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, stream := range slices.Sorted(maps.Keys(s.why)) {
		all = append(all, stream+" takes nothing: "+s.why[stream])
	}
	return strings.Join(all, "; ")
}

// set tells whether other streams are stuck than before.
func (s *stuck) set(why map[string]string) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = !maps.EqualFunc(s.why, why, func(string, string) bool { return true })
	s.why = why
	return changed
}

// whatMendsIt is what a stuck stream needs.
func (s *Service) whatMendsIt() string {
	if s.embedded != nil {
		return ""
	}
	return ". Make room on its disk and restart NATS: a stream that met a full disk takes nothing before that"
}

// stuckEvery is how often it is looked at.
const stuckEvery = 5 * time.Second

// watchStuck looks for streams that take nothing: by what became of our own writes,
// and by what the servers say about their disks where they can be asked. The stream
// of events is written to by others.
func (s *Service) watchStuck(ctx context.Context) {
	defer s.monitors.client.CloseIdleConnections()
	tick := time.NewTicker(stuckEvery)
	defer tick.Stop()
	for {
		why := s.monitors.stuck(ctx)
		for _, f := range slices.Concat(s.bus.Failing(), s.ingest.Failing()) {
			if why[f.Stream] == "" {
				why[f.Stream] = fmt.Sprintf("since %s: %v", f.Since.UTC().Format(time.TimeOnly), f.Err)
			}
		}
		if ctx.Err() == nil && s.stuck.set(why) {
			s.tellStuck(why)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) tellStuck(why map[string]string) {
	s.metrics.StreamStuck.Reset()
	for stream := range why {
		s.metrics.StreamStuck.WithLabelValues(stream).Set(1)
	}
	if len(why) == 0 {
		s.log.Info().Msg("all streams of the bus take what is written")
		return
	}
	s.log.Error().Str("streams", s.stuck.text()).Msg("the bus does not store everything")
}
