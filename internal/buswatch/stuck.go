package buswatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// stuck is the set of streams that refuse writes. A stream that has met a full
// disk stays as it is until its server is restarted, while that server is connected
// and answers for all the others.
type stuck struct {
	mu  sync.Mutex
	why map[string]string // by stream: what is wrong with it, and why
}

// text names the streams that do not work, and why; empty: all do.
func (s *stuck) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, stream := range slices.Sorted(maps.Keys(s.why)) {
		all = append(all, stream+" "+s.why[stream])
	}
	return strings.Join(all, "; ")
}

// set reports whether other streams are stuck than before.
func (s *stuck) set(why map[string]string) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = !maps.EqualFunc(s.why, why, func(string, string) bool { return true })
	s.why = why
	return changed
}

// cure is the remedy for a stuck stream.
func (w *Watch) cure() string {
	if w.cfg.Embedded != nil {
		return "make room on the disk of the data directory: the embedded bus is restarted by itself"
	}
	return "if its disk is full, make room and restart NATS: a stream that met a full disk stores no writes before that"
}

// stuckEvery is how often it is looked at.
const stuckEvery = 5 * time.Second

// watchStuck looks for streams that take nothing: by what became of our own writes,
// and by what the servers say about their disks where they can be asked. The stream
// of events is written to by others.
func (w *Watch) watchStuck(ctx context.Context) {
	defer w.monitors.client.CloseIdleConnections()
	tick := time.NewTicker(stuckEvery)
	defer tick.Stop()
	for {
		w.compare(ctx)
		why := w.monitors.stuck(ctx)
		for _, f := range slices.Concat(w.cfg.Bus.Failing(), w.cfg.Ingest.Failing()) {
			if why[f.Stream] == "" {
				why[f.Stream] = fmt.Sprintf("since %s: %v", f.Since.UTC().Format(time.TimeOnly), f.Err)
			}
		}
		for stream, text := range why {
			why[stream] = "stores no writes: " + text
		}
		for stream, text := range w.repairs.failing() {
			why[stream] = "is not as it should be: " + text
		}
		if ctx.Err() == nil && w.stuck.set(why) {
			w.reportStuck(why)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// compare has the streams repaired while the bus can be reached.
func (w *Watch) compare(ctx context.Context) {
	if !w.cfg.Bus.Connected() {
		return
	}
	if err := w.Repair(ctx); err != nil && ctx.Err() == nil {
		w.log.Debug().Err(err).Msg("comparing the streams of the bus")
	}
}

func (w *Watch) reportStuck(why map[string]string) {
	w.cfg.Metrics.StreamStuck.Reset()
	for stream := range why {
		w.cfg.Metrics.StreamStuck.WithLabelValues(stream).Set(1)
	}
	if len(why) == 0 {
		w.log.Info().Msg("all streams of the bus take what is written")
		return
	}
	w.log.Error().Str("streams", w.stuck.text()).Msg("the bus does not store everything")
}
