package intake

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"edrpipe/internal/health"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// TestACanaryThatDoesNotComeBack makes the intake unready, with the cause; one that
// does makes it ready, and no message is taken for a canary by another's name.
func TestACanaryThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var trouble atomic.Pointer[jetstream.Trouble]
		var refused atomic.Pointer[error]
		var unread atomic.Bool
		c := &Canary{Filter: "edr.events.>", Replica: "a", Now: time.Now, Trouble: trouble.Load}
		c.Publish = func(_ context.Context, m *nats.Msg) error {
			if err := refused.Load(); err != nil {
				return *err
			}
			if !unread.Load() {
				c.done(true, nil)
			}
			return nil
		}
		ctx, stop := context.WithCancel(t.Context())
		go c.Run(ctx)
		expect := func(what string, state health.State, ready bool, text string) {
			t.Helper()
			synctest.Wait()
			if got := c.Check(); got.State != state || got.Ready() != ready || !strings.Contains(got.Evidence, text) {
				t.Errorf("%s: %+v, want %s, ready %v, %q", what, got, state, ready, text)
			}
		}
		expect("the first passes at once", health.OK, true, "")
		unread.Store(true)
		time.Sleep(canaryLate - time.Second)
		expect("not late yet", health.OK, true, "")
		time.Sleep(canaryEvery)
		expect("nobody reads", health.Failed, false, "no canary event has passed")
		c.done(false, nil)
		expect("others are read", health.Degraded, true, "many wait before it")
		time.Sleep(canaryEvery)
		expect("nor they", health.Failed, false, "not read")
		unread.Store(false)
		time.Sleep(canarySooner)
		expect("it is mended", health.OK, true, "")
		trouble.Store(&jetstream.Trouble{Since: time.Now(), Err: errors.New("consumer rules is missing")})
		expect("the reader names its trouble", health.Failed, false, "consumer rules is missing")
		noRoom := errors.New("no room")
		trouble.Store(nil)
		refused.Store(&noRoom)
		time.Sleep(2 * canaryLate)
		expect("it cannot be sent", health.Failed, false, "no room")
		c.done(true, errCanary)
		expect("its rule did not match", health.Failed, false, "did not match")
		stop()
	})
}

func TestNothingIsKnownBeforeTheFirstCanary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Canary{Now: time.Now, Trouble: func() *jetstream.Trouble { return nil }, Publish: func(context.Context, *nats.Msg) error { return nil }, Filter: "x.>"}
		ctx, stop := context.WithCancel(t.Context())
		go c.Run(ctx)
		synctest.Wait()
		if got := c.Check(); got.State != health.Unknown || got.Ready() {
			t.Errorf("before the first: %+v", got)
		}
		time.Sleep(canaryLate + time.Second)
		if got := c.Check(); got.State != health.Failed {
			t.Errorf("after long: %+v", got)
		}
		stop()
	})
}

// TestACanaryMeetsItsOwnRule by decoding and matching as events do.
func TestACanaryMeetsItsOwnRule(t *testing.T) {
	t.Parallel()
	in := &Intake{Config: Config{Now: time.Now}, canaries: canaryMatcher()}
	m, err := jetstream.EncodeCanary("edr.events.*.x.>", "a-1")
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "edr.events._canary.x._canary" {
		t.Errorf("subject %s", m.Subject)
	}
	msg := events.Message{Body: m.Data}
	if id, ok := jetstream.CanaryID(&msg); !ok || id != "a-1" {
		t.Errorf("canary %q, %v", id, ok)
	}
	if f := in.canary(msg); f.broken != nil || !f.canary {
		t.Errorf("finding %+v", f)
	}
	for _, body := range []string{
		`{"edrpipe_canary":"a","type":"ingress.event.procstart"}`, `{"edrpipe_canary":"a"}{"type":"x"}`, `{"edrpipe_canary":""}`, `{"edrpipe_canary":"a"} `,
		`{"edrpipe_canary":"a","edrpipe_canary":"b"}`, ` {"edrpipe_canary":"a"}`, `{"edrpipe_canary":1}`,
	} {
		if _, ok := jetstream.CanaryID(&events.Message{Body: []byte(body)}); ok {
			t.Errorf("%s was taken for a canary", body)
		}
	}
}
