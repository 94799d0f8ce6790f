package buswatch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"edrpipe/pkg/bus"
)

// Bounds of repairs: another client, or a replica with another configuration, that
// changes a stream back would else be fought for ever.
const (
	repairsAtMost = 3
	repairsWithin = 10 * time.Minute
)

// repairs remembers which streams were repaired lately, and which cannot be.
type repairs struct {
	pass sync.Mutex // held while streams are compared

	mu   sync.Mutex
	done map[string][]time.Time // guarded by mu; by stream
	fail map[string]string      // guarded by mu; why a stream is not as it should be
}

// may reports whether a stream may be changed once more.
func (r *repairs) may(stream string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = map[string][]time.Time{}
	}
	lately := slices.DeleteFunc(r.done[stream], func(at time.Time) bool { return now.Sub(at) > repairsWithin })
	if len(lately) >= repairsAtMost {
		return false
	}
	r.done[stream] = append(lately, now)
	return true
}

// failing returns why streams are not as they should be, by stream.
func (r *repairs) failing() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fail
}

// set notes what a comparison has found.
func (r *repairs) set(err error) {
	fail := map[string]string{}
	for _, e := range streamErrors(err) {
		fail[e.Stream] = e.Err.Error()
	}
	r.mu.Lock()
	r.fail = fail
	r.mu.Unlock()
}

// streamErrors takes apart what bus.Reconcile returns.
func streamErrors(err error) (all []*bus.StreamError) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range joined.Unwrap() {
		var of *bus.StreamError
		if errors.As(e, &of) && !errors.Is(e, context.DeadlineExceeded) && !errors.Is(e, context.Canceled) {
			all = append(all, of)
		}
	}
	return all
}

// Repair compares all streams with what this service makes, makes those that are
// missing and sets back what others changed.
func (w *Watch) Repair(ctx context.Context) error {
	w.repairs.pass.Lock()
	defer w.repairs.pass.Unlock()
	changes, err := w.cfg.Bus.Reconcile(ctx, func(c bus.Change) bool { return w.repairs.may(c.Stream, time.Now()) })
	for _, c := range changes {
		what := "changed"
		if c.Made {
			what = "missing"
		}
		w.cfg.Metrics.Repairs.WithLabelValues(c.Stream, what).Inc()
		w.log.Error().Str("stream", c.Stream).Str("what", c.String()).Msg("another client deleted or changed this stream of the bus: it was made again with its settings; deleted messages are lost")
		w.cfg.Repaired(ctx, c)
	}
	w.repairs.set(err)
	return err
}
