package cbc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
)

// requests are the times of those that were sent.
type requests struct {
	mu sync.Mutex
	at []time.Time
}

func (r *requests) note() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, time.Now())
}

// all is how many there were.
func (r *requests) all() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.at)
}

// most is how many there were in any window.
func (r *requests) most(window time.Duration) (most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := 0
	for i, at := range r.at {
		for at.Sub(r.at[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// virtual is a client of a simulated organisation in virtual time, at the default
// rate, and a count of its requests.
func virtual(t *testing.T, cfg edrsim.Config, limiter *Limiter) (*Client, *edrsim.Server, *requests) {
	t.Helper()
	cfg.Kind, cfg.Token = edrsim.KindCloud, testToken
	sim := edrsim.New(cfg)
	t.Cleanup(sim.Close)
	c, err := New(Config{URL: "https://cloud.example.test", OrgKey: sim.OrgKey(), Token: testToken, Limiter: limiter})
	if err != nil {
		t.Fatal(err)
	}
	sent := new(requests)
	count := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.note()
		sim.ServeHTTP(w, r)
	})
	c.access.Load().http.Transport, c.access.Load().storage.Transport = inMemory{count}, inMemory{sim}
	return c, sim, sent
}

// job is what a job does: it reads the device's record, opens a session, runs
// commands and closes it.
func job(ctx context.Context, c *Client, device string, commands int) error {
	if _, err := c.Sensor(ctx, device); err != nil {
		return err
	}
	s, err := c.OpenSession(ctx, device)
	if err != nil {
		return err
	}
	for range commands {
		if _, err := s.Processes(ctx); err != nil {
			return err
		}
	}
	return s.Close(ctx)
}

func TestAJobOfOneCommandTakesAtMostEightRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _, requests := virtual(t, edrsim.Config{CheckIn: 2 * time.Second, Sensors: 1}, nil)
		if err := job(t.Context(), c, "6231047", 1); err != nil {
			t.Fatal(err)
		}
		if n := requests.all(); n > 8 {
			t.Errorf("%d requests, want at most 8", n)
		}
	})
}

// TestOrderOfRequests: of the requests that wait, urgent ones go first and openings last,
// but for every eighth token, which is for the one that has waited longest.
func TestOrderOfRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 1)
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var got []string
		var all sync.WaitGroup
		for i, u := range []urgency{opening, opening, ongoing, ongoing, ongoing, ongoing, ongoing, ongoing, ongoing, urgent} {
			all.Go(func() {
				if err := l.wait(t.Context(), u); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprint(i))
			})
			synctest.Wait() // so that they come in this order
		}
		begun := time.Now()
		all.Wait()
		if order := strings.Join(got, " "); order != "9 2 3 4 5 6 0 7 8 1" {
			t.Errorf("order %s", order)
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("took %v for ten requests at one a second", took)
		}
	})
}

// TestAWaitThatEndsTakesNoToken, and one that a pause outlasts ends at once.
func TestAWaitThatEndsTakesNoToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(0.1, 1)
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, edr.ErrThrottled) {
			t.Errorf("Wait = %v", err)
		}
		begun := time.Now()
		if err := l.Wait(t.Context()); err != nil || time.Since(begun) != 5*time.Second {
			t.Errorf("Wait = %v after %v, want the token of the other one", err, time.Since(begun))
		}
		l.Pause(time.Now().Add(time.Hour))
		l.Pause(time.Now().Add(time.Minute)) // does not end the longer one
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		begun = time.Now()
		if err := l.Wait(ctx); !errors.Is(err, edr.ErrThrottled) || time.Since(begun) != 0 {
			t.Errorf("Wait = %v after %v", err, time.Since(begun))
		}
		if err := l.Wait(t.Context()); err != nil || time.Since(begun) != time.Hour {
			t.Errorf("Wait = %v after %v", err, time.Since(begun))
		}
	})
}

func TestARefusalForTheRateStopsTheWholeHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := NewLimiter(0, 0)
		c, sim, requests := virtual(t, edrsim.Config{Sensors: 1}, limiter)
		other, _, _ := virtual(t, edrsim.Config{Sensors: 1}, limiter)
		sim.FailNext("429", "GET", "/devices/")
		start := time.Now()
		if _, err := c.Sensor(t.Context(), "6231047"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < time.Second || requests.all() != 2 {
			t.Errorf("%d requests in %v, want a second one after Retry-After", requests.all(), took)
		}
		limiter.Pause(time.Now().Add(time.Minute))
		start = time.Now()
		if _, err := other.Sessions(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < time.Minute {
			t.Errorf("another client of the host sent after %v", took)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"": time.Minute, "7": 7 * time.Second, "0": time.Minute, "-1": time.Minute, "soon": time.Minute, "999999": time.Hour,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Second).Format(http.TimeFormat):     time.Minute,
	} {
		if got := retryAfter(in, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestALongCommandIsKeptAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := edrsim.Latency{Min: 40 * time.Minute, Max: 41 * time.Minute}
		c, sim, _ := virtual(t, edrsim.Config{CheckIn: 2 * time.Second, Fleet: []edrsim.SensorSpec{{Commands: map[string]edrsim.Latency{"memdump": slow}}}}, nil)
		s, err := c.OpenSession(t.Context(), "6231047")
		if err != nil {
			t.Fatal(err)
		}
		path, err := s.DumpMemory(t.Context(), `c:\dump`, true, nil)
		if err != nil || path != `c:\dump.zip` {
			t.Errorf("DumpMemory = %q, %v", path, err)
		}
		if n := sim.Counters().Requests["GET /appservices/v6/orgs/{org}/liveresponse/sessions/{sid}/keepalive"]; n < 7 || n > 9 {
			t.Errorf("%d keepalives in 40 minutes, want one each five", n)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

var _ edr.Server = (*Client)(nil)
