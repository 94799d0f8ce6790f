package jetstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// TestSettledTooOften: who settles a message again, with whatever outcome, says
// nothing of another.
func TestSettledTooOften(t *testing.T) {
	b := bustest.Start(t)
	const n, left = 60, 20
	publish(t, b, numbered(n)...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var before []events.Message
	seen := 0
	s := source(b, func(c *jetstream.Config) { short(c); c.Alone = true })
	err := s.Read(ctx, func(_ context.Context, m events.Message) error {
		for i, old := range before {
			old.Settle([]error{nil, errors.New("again, please")}[i%2])
		}
		if i := sequence(t, m); i != left {
			m.Settle(nil)
			before = append(before, m)
		}
		if seen++; seen == n {
			settled, unsettled := s.Above()
			if settled != n-left-1 || unsettled != 1 {
				t.Errorf("%d settled and %d unsettled above the floor, want %d, 1", settled, unsettled, n-left-1)
			}
			cancel()
		}
		return nil
	})
	if err != nil || seen != n {
		t.Errorf("%d of %d messages came (%v)", seen, n, err)
	}
	if got := consumerInfo(t, b).AckFloor.Stream; got != left {
		t.Errorf("the mark is %d, want %d", got, left)
	}
}
