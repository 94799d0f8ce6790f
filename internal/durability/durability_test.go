package durability

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"edrpipe/internal/rabbittest"
	"edrpipe/internal/testproc"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events/amqp"
	"edrpipe/pkg/jobs"
)

// size is how many events are sent on each route, and how often the service is
// killed meanwhile.
func size(t *testing.T) (events, kills int) {
	t.Helper()
	text := os.Getenv("EDRPIPE_DURABILITY")
	if text == "" {
		return 1200, 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("EDRPIPE_DURABILITY=%s: %v", text, err)
	}
	return n, 10
}

// route is a way to the service.
type route struct {
	name    string
	outside bool // the bus survives; else it is the service's own and dies with it
	rabbit  bool
	send    func(ctx context.Context, t *testing.T, p *place, n int)
}

// TestKilledServiceLosesAndRepeatsNothing: with the service killed during a burst,
// every event is matched, every match has exactly one job with one result, and no
// command was executed twice.
func TestKilledServiceLosesAndRepeatsNothing(t *testing.T) {
	n, kills := size(t)
	broker := startBroker(t)
	for _, r := range []route{
		{name: "nats", outside: true, send: sendNATS},
		{name: "nats-inside", send: sendNATS},
		{name: "amqp", rabbit: true, send: sendAMQP},
		{name: "http", send: sendHTTP},
	} {
		t.Run(r.name, func(t *testing.T) {
			if r.rabbit && broker == "" {
				t.Skip(rabbittest.ErrNotInstalled)
			}
			t.Parallel()
			p := newPlace(t, r, broker, 100)
			began := time.Now()
			peak := p.burst(t, r, n, kills)
			spent := time.Since(began).Round(10 * time.Millisecond)
			f := p.find(t, r.outside)
			t.Logf("%d events, %d kills, %v: %d matched; jobs %v, want %d; %d commands at the endpoints; peak memory of the service %d MiB",
				n, kills, spent, len(f.matched), f.states, p.wanted(n), p.sim.Counters().Commands, peak>>20)
			p.check(t, f, n)
			if f.states[jobs.Unknown] > kills*sensors {
				t.Errorf("%d jobs are unknown, and %d kills can have hit %d at most", f.states[jobs.Unknown], kills, kills*sensors)
			}
			p.checkEndpoints(t, f.states)
		})
	}
}

func startBroker(t *testing.T) (url string) {
	t.Helper()
	broker, err := rabbittest.Start(t.Context(), nil)
	if errors.Is(err, rabbittest.ErrNotInstalled) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Stop(); err != nil {
			t.Error(err)
		}
	})
	conn, err := amqp091.Dial(broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err == nil { // the exchange exists before the first consumer, as on an EDR server
		err = ch.ExchangeDeclare(amqp.ExchangeEvents, "topic", true, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return broker.URL
}

// burst sends n events, kills the service meanwhile, and ends when the last job
// has. It returns the most memory that a service had, in bytes.
func (p *place) burst(t *testing.T, r route, n, kills int) (peak int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	v := testproc.Service(t, p.dir+"/pipeline.yaml")
	start(t, v)
	b := p.connect(t)
	sending.Go(func() { r.send(ctx, t, p, n) })
	for i := range kills {
		await(t, b, "events are matched", n*(i+1)/(kills+2), matched)
		peak = max(peak, v.Peak())
		kill(t, v)
		start(t, v)
	}
	sending.Wait()
	await(t, b, "events are matched", n, matched)
	await(t, b, "jobs have ended", p.wanted(n), ended)
	peak = max(peak, v.Peak())
	stop(t, v)
	return peak
}

func start(t *testing.T, v *testproc.Process) {
	t.Helper()
	err := v.Start()
	if err == nil {
		err = v.Up(time.Minute)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func kill(t *testing.T, v *testproc.Process) {
	t.Helper()
	if end := v.Kill(); end.Exited() {
		t.Fatalf("the service ended by itself: %v", end)
	}
}

// stop ends the service as an operator would.
func stop(t *testing.T, v *testproc.Process) {
	t.Helper()
	if end := v.End(syscall.SIGTERM); !end.Success() {
		t.Errorf("stopping the service: %v", end)
	}
}

// matched is how many events lie below those that the service still has to settle.
func matched(ctx context.Context, b *bus.Bus) (int, error) {
	c, err := b.JetStream().Consumer(ctx, bus.StreamEvents, "rules")
	if err != nil {
		return 0, err
	}
	return int(c.CachedInfo().AckFloor.Stream), nil
}

// ended is how many jobs are among the finished.
func ended(ctx context.Context, b *bus.Bus) (int, error) {
	s, err := b.JetStream().Stream(ctx, "KV_"+bus.BucketFinished)
	if err != nil {
		return 0, err
	}
	return int(s.CachedInfo().State.Msgs), nil
}

// patience is the longest wait without progress.
const patience = 2 * time.Minute

// await blocks until the count on the bus is n. Errors of the bus are retried.
func await(t *testing.T, b *bus.Bus, what string, n int, count func(context.Context, *bus.Bus) (int, error)) {
	t.Helper()
	last, since := -1, time.Now()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		now, err := count(ctx, b)
		cancel()
		switch {
		case err == nil && now >= n:
			return
		case err == nil && now != last:
			last, since = now, time.Now()
		case time.Since(since) > patience:
			t.Fatalf("%d %s (%v), nothing came for %v; want %d", last, what, err, patience, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// check compares the records with those that n events must give.
func (p *place) check(t *testing.T, f *found, n int) {
	t.Helper()
	if len(f.matched) != n {
		t.Errorf("%d different events were matched, want %d", len(f.matched), n)
	}
	for i := 0; i < n; i += p.oneIn {
		if f.jobs[i] != 1 {
			t.Errorf("event %d has made %d jobs, want one", i, f.jobs[i])
		}
	}
	if len(f.jobs) != p.wanted(n) || len(f.results) != p.wanted(n) || f.live != 0 {
		t.Errorf("events with jobs %d, jobs with results %d, unended jobs %d; want %d, %d, 0", len(f.jobs), len(f.results), f.live, p.wanted(n), p.wanted(n))
	}
	if got := f.states[jobs.Succeeded] + f.states[jobs.Unknown]; got != p.wanted(n) {
		t.Errorf("outcomes %v: want only succeeded, or unknown for the step that a kill hit", f.states)
	}
}

// checkEndpoints checks that exactly one process was created for each successful job.
func (p *place) checkEndpoints(t *testing.T, states map[jobs.State]int) {
	t.Helper()
	created := 0
	for _, e := range p.sim.Counters().Executions {
		if e.Command != "create process" {
			continue
		}
		created++
		if e.Count != 1 {
			t.Errorf("%q ran %d times on sensor %d", e.Object, e.Count, e.SensorID)
		}
	}
	if created < states[jobs.Succeeded] {
		t.Errorf("%d processes were created for %d jobs that succeeded", created, states[jobs.Succeeded])
	}
}
