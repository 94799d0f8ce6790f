package cbc

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
)

// virtual is a client of a simulated organisation in virtual time, at the default
// rate, and a count of its requests.
func virtual(t *testing.T, cfg edrsim.Config, limiter *Limiter) (*Client, *edrsim.Server, *atomic.Int64) {
	t.Helper()
	cfg.Kind, cfg.Token = edrsim.KindCloud, testToken
	sim := edrsim.New(cfg)
	t.Cleanup(sim.Close)
	c, err := New(Config{URL: "https://cloud.example.test", OrgKey: sim.OrgKey(), Token: testToken, Limiter: limiter})
	if err != nil {
		t.Fatal(err)
	}
	requests := new(atomic.Int64)
	count := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		sim.ServeHTTP(w, r)
	})
	c.access.Load().http.Transport, c.access.Load().storage.Transport = inMemory{count}, inMemory{sim}
	return c, sim, requests
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
		if n := requests.Load(); n > 8 {
			t.Errorf("%d requests, want at most 8", n)
		}
	})
}

// TestAHundredJobsStayWithinTheRate: the product's example of a limit is 1,000
// requests in five minutes. The work takes as long as the rate makes it take.
func TestAHundredJobsStayWithinTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const devices = 100
		c, sim, requests := virtual(t, edrsim.Config{
			CheckIn: 2 * time.Second, Fleet: []edrsim.SensorSpec{{Count: devices}}, Slots: 100, Quirks: edrsim.Quirks{"rate": "1000/5m"},
		}, nil)
		start := time.Now()
		slots := make(chan struct{}, 90)
		errs := make([]error, devices)
		var jobs sync.WaitGroup
		for i := range devices {
			jobs.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				errs[i] = job(t.Context(), c, fmt.Sprint(6231047+i), 5)
			})
		}
		jobs.Wait()
		took := time.Since(start)
		for i, err := range errs {
			if err != nil {
				t.Fatalf("job %d: %v", i, err)
			}
		}
		// One device, one list, one opening, one look, five commands with one look
		// each, one closing.
		const least = devices * (4 + 5*2 + 1)
		permitted := time.Duration(float64(least-DefaultBurst) / DefaultRate * float64(time.Second))
		if took > permitted*12/10 {
			t.Errorf("took %v for %d requests; the rate permits the least of %d in %v", took, requests.Load(), least, permitted)
		}
		if n := sim.Counters().Requests; len(n) == 0 || c.Limiter().PausedUntil().After(start) {
			t.Error("the server refused requests for their rate")
		}
		t.Logf("%d requests in %v", requests.Load(), took)
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
		if took := time.Since(start); took < time.Second || requests.Load() != 2 {
			t.Errorf("%d requests in %v, want a second one after Retry-After", requests.Load(), took)
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
