package guard_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// fleet is an EDR server of many sensors, every tenth a domain controller, that
// notes what is isolated and when.
type fleet struct {
	edr.Server
	size int

	mu       sync.Mutex
	isolated map[int]time.Time
	twice    []int
}

func (f *fleet) Name() string { return "fleet" }

func (f *fleet) Sensor(_ context.Context, text string) (edr.Sensor, error) {
	id, err := strconv.Atoi(text)
	if err != nil {
		return edr.Sensor{}, edr.ErrUnknownSensor
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sensor(id), nil
}

func (f *fleet) sensor(id int) edr.Sensor {
	s := edr.Sensor{ID: strconv.Itoa(id), Hostname: fmt.Sprint("HOST-", id), OS: edr.Windows, Online: true, LiveResponse: true, Group: "Office", Isolation: edr.NotIsolated}
	if id%10 == 0 {
		s.Group = "Domain Controllers"
	}
	if _, is := f.isolated[id]; is {
		s.Isolation = edr.Isolated
	}
	return s
}

func (f *fleet) Sensors(context.Context, edr.SensorQuery) ([]edr.Sensor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]edr.Sensor, f.size)
	for i := range all {
		all[i] = f.sensor(i + 1)
	}
	return all, nil
}

func (f *fleet) Sessions(context.Context) ([]edr.SessionInfo, error) { return nil, nil }

func (f *fleet) SetIsolation(_ context.Context, text string, _ bool) error {
	id, err := strconv.Atoi(text)
	if err != nil {
		return edr.ErrUnknownSensor
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, is := f.isolated[id]; is {
		f.twice = append(f.twice, id)
	}
	f.isolated[id] = time.Now()
	return nil
}

// count is how many are isolated.
func (f *fleet) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.isolated)
}

const stormGuards = `
protected:
  - { name: domain-controllers, sensors: sensor.group == "Domain Controllers", deny: isolate }
budgets:
  - { name: isolations, actions: isolate, sensors: 25, per: 1h }
`

// replicas are two schedulers on shared stores, until stop.
func replicas(t *testing.T, f *fleet, store jobs.Store, table jobs.TableStore, state guard.Store) (first *jobs.Scheduler, stop func()) {
	t.Helper()
	policy, err := guard.Load("guards.yaml", []byte(stormGuards), []guard.Action{{Name: "isolate", Destructive: true}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		g := guard.New(guard.Config{Store: state, Policy: policy})
		s, err := jobs.New(jobs.Config{Server: f, Store: store, Table: table, Log: zerolog.Nop(), Admit: g.Admit})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = s
		}
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return first, func() { cancel(); running.Wait() }
}

// stormSize: go test ./pkg/guard -run Storm -storm 10000 is the long form.
var stormSize = flag.Int("storm", 200, "sensors in TestStormThroughTheScheduler")

// TestStormThroughTheScheduler: one rule matches every sensor at once, on two
// replicas that are restarted in the middle of it. No hour sees more isolations
// than the budget, no protected sensor is touched, and what has to wait is held
// where people see it.
func TestStormThroughTheScheduler(t *testing.T) {
	size := *stormSize
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{size: size, isolated: map[int]time.Time{}}
		store, table, state := &jobs.Memory{}, &jobs.MemoryTable{}, &guard.Memory{}
		s, stop := replicas(t, f, store, table, state)
		storm := make([]*jobs.Job, size)
		for i := range storm {
			storm[i] = &jobs.Job{Rule: "storm", Submitter: "rule", Endpoint: edr.Endpoint{ID: fmt.Sprint(i + 1)}, Steps: []actions.Step{{ID: "iso", Uses: "isolate"}}}
		}
		if _, err := s.Enqueue(t.Context(), storm...); err != nil {
			t.Fatal(err)
		}
		for _, pause := range []time.Duration{2 * time.Second, 10 * time.Minute, 40 * time.Minute} {
			time.Sleep(pause)
			stop()
			s, stop = replicas(t, f, store, table, state)
		}
		time.Sleep(5 * time.Minute)
		held, err := s.List(t.Context(), jobs.Query{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d sensors: after 55 minutes %d isolated, %d held", size, f.count(), len(held))
		if f.count() != 25 || len(held) != size-size/10-25 {
			t.Errorf("%d isolated, %d held, want 25 and %d", f.count(), len(held), size-size/10-25)
		}
		for _, j := range held {
			if !j.State.Waiting() || j.Reason != jobs.Reason(guard.Budget) {
				t.Fatalf("job of sensor %d is %s for %q: %s", looseid.Sensor(j.Endpoint.ID), j.State, j.Reason, j.Detail)
			}
		}
		time.Sleep(75 * time.Minute)
		stop()
		checkFleet(t, f, 75)
	})
}

func checkFleet(t *testing.T, f *fleet, want int) {
	t.Helper()
	if len(f.twice) > 0 {
		t.Errorf("asked twice to isolate %v", f.twice)
	}
	var times []time.Time
	for id, at := range f.isolated {
		if id%10 == 0 {
			t.Errorf("protected sensor %d was isolated", id)
		}
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := 25; i < len(times); i++ {
		if d := times[i].Sub(times[i-25]); d < time.Hour {
			t.Errorf("26 sensors were isolated within %v", d)
		}
	}
	t.Logf("after 130 minutes %d isolated", len(times))
	if len(times) != want {
		t.Errorf("%d isolated in all, want %d", len(times), want)
	}
}
