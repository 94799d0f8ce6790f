package cloudalerts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"edrpipe/pkg/cbc"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/cloudalerts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service has alerts that become visible a while after their time.
type service struct {
	mu     sync.Mutex
	alerts []cbc.Alert
	broken bool
	pages  int
}

func (s *service) raise(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.alerts = append(s.alerts, cbc.Alert{ID: id, Raised: now, Updated: now, Raw: json.RawMessage(fmt.Sprintf(`{"id":%q}`, id))})
}

func (s *service) change(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.alerts {
		if s.alerts[i].ID == id {
			s.alerts[i].Updated = time.Now()
		}
	}
}

// outage begins or ends a time in which searches fail.
func (s *service) outage(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = is
}

const lateness = 40 * time.Second

func (s *service) SearchAlerts(_ context.Context, q cbc.AlertQuery) ([]cbc.Alert, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages++
	if s.broken {
		return nil, 0, errors.New("unavailable")
	}
	var page []cbc.Alert
	for _, a := range s.alerts {
		at := a.Raised
		if q.Updates {
			at = a.Updated
		}
		if !at.Before(q.Start) && !at.After(q.End) && time.Since(at) >= lateness {
			page = append(page, a)
		}
	}
	slices.SortStableFunc(page, func(a, b cbc.Alert) int { return a.Updated.Compare(b.Updated) })
	return page[:min(len(page), q.Rows)], len(page), nil
}

// inbox takes alerts, failing some.
type inbox struct {
	mu   sync.Mutex
	got  []string
	fail map[string]int // how often an alert is not taken
}

func (b *inbox) handle(_ context.Context, m events.Message) error {
	var a struct{ ID string }
	_ = json.Unmarshal(m.Body, &a)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail[a.ID] > 0 {
		b.fail[a.ID]--
		m.Settle(errors.New("bus is full"))
		return nil
	}
	b.got = append(b.got, a.ID)
	m.Settle(nil)
	return nil
}

func (b *inbox) ids() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// run reads for a while.
func run(t *testing.T, src *cloudalerts.Source, b *inbox, d time.Duration, meanwhile func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		if err := src.Read(ctx, b.handle); err != nil {
			t.Error(err)
		}
	})
	if meanwhile != nil {
		meanwhile()
	}
	time.Sleep(d)
	cancel()
	reading.Wait()
}

func TestEveryAlertOnceOverRestartsAndOutages(t *testing.T) {
	t.Parallel()
	place := filepath.Join(t.TempDir(), "place")
	synctest.Test(t, func(t *testing.T) {
		s, b := &service{}, &inbox{fail: map[string]int{"c": 2}}
		src := &cloudalerts.Source{Server: "cloud", Search: s, Place: place}
		s.raise("before the first start")
		time.Sleep(10 * time.Minute)
		run(t, src, b, 5*time.Minute, func() {
			s.raise("a")
			time.Sleep(90 * time.Second)
			s.raise("b")
		})
		s.raise("c") // while the process is down
		time.Sleep(3 * time.Hour)
		s.outage(true)
		run(t, src, b, 10*time.Minute, func() {
			time.Sleep(20 * time.Minute)
			s.raise("d")
			time.Sleep(20 * time.Minute)
			s.outage(false)
		})
		// c is refused twice and comes again after d: each once, in no promised order.
		if got := slices.Sorted(slices.Values(b.ids())); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
			t.Errorf("got %q, want each of a, b, c and d once", got)
		}
		if b.fail["c"] != 0 {
			t.Errorf("c was refused %d times too few", b.fail["c"])
		}
	})
}

func TestAChangeOfAnAlertComesOnce(t *testing.T) {
	t.Parallel()
	place := filepath.Join(t.TempDir(), "place")
	synctest.Test(t, func(t *testing.T) {
		for _, without := range []bool{false, true} {
			s, b := &service{}, &inbox{}
			src := &cloudalerts.Source{Server: "cloud", Search: s, Place: fmt.Sprint(place, without), NoUpdates: without}
			run(t, src, b, 10*time.Minute, func() {
				s.raise("a")
				time.Sleep(10 * time.Minute)
				s.change("a")
			})
			want := 2
			if without {
				want = 1
			}
			if got := b.ids(); len(got) != want {
				t.Errorf("without updates %v: got %q", without, got)
			}
		}
	})
}

func TestMoreAlertsThanAPage(t *testing.T) {
	t.Parallel()
	place := filepath.Join(t.TempDir(), "place")
	synctest.Test(t, func(t *testing.T) {
		s, b := &service{}, &inbox{}
		run(t, &cloudalerts.Source{Server: "cloud", Search: s, Place: place}, b, 10*time.Minute, func() {
			for i := range 2500 {
				s.raise(fmt.Sprint(i))
				if i%900 == 0 { // many have the same time, fewer than a page
					time.Sleep(time.Millisecond)
				}
			}
		})
		seen := map[string]int{}
		for _, id := range b.ids() {
			seen[id]++
		}
		if len(seen) != 2500 || len(b.ids()) != 2500 {
			t.Errorf("%d alerts, %d distinct", len(b.ids()), len(seen))
		}
	})
}

func TestTheHandlersErrorEndsTheReading(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	place := filepath.Join(t.TempDir(), "place")
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		src := &cloudalerts.Source{Server: "cloud", Search: s, Place: place, Since: time.Now().Add(-time.Hour)}
		s.raise("a")
		err := src.Read(t.Context(), func(context.Context, events.Message) error { return stop })
		if !errors.Is(err, stop) {
			t.Errorf("Read = %v", err)
		}
	})
}
