package guard_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// moody is a fleet whose server fails at random and whose sensors are offline at
// times, follow late, or never again.
type moody struct {
	edr.Server
	size int

	mu      sync.Mutex
	dice    *rand.Rand
	state   map[int]edr.Isolation
	follows map[int]time.Time // when the sensor does what was asked
	dead    map[int]bool      // never follows a release
}

func (m *moody) Name() string { return "moody" }

func (m *moody) sensor(id int) edr.Sensor {
	if at, waits := m.follows[id]; waits && !time.Now().Before(at) {
		delete(m.follows, id)
		if m.state[id] == edr.IsolateRequested {
			m.state[id] = edr.Isolated
		} else {
			m.state[id] = edr.NotIsolated
		}
	}
	online := (time.Now().Unix()/3600+int64(id))%3 != 0 // an hour in three it sleeps
	return edr.Sensor{ID: strconv.Itoa(id), OS: edr.Windows, Online: online, LiveResponse: true, Isolation: m.state[id], LastCheckin: time.Now()}
}

func (m *moody) Sensor(_ context.Context, text string) (edr.Sensor, error) {
	id, err := strconv.Atoi(text)
	if err != nil {
		return edr.Sensor{}, edr.ErrUnknownSensor
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dice.IntN(20) == 0 {
		return edr.Sensor{}, edr.ErrServer
	}
	return m.sensor(id), nil
}

func (m *moody) Sensors(context.Context, edr.SensorQuery) ([]edr.Sensor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []edr.Sensor
	for id := 1; id <= m.size; id++ {
		all = append(all, m.sensor(id))
	}
	return all, nil
}

func (m *moody) Sessions(context.Context) ([]edr.SessionInfo, error) { return nil, nil }

func (m *moody) SetIsolation(_ context.Context, text string, isolated bool) error {
	id, err := strconv.Atoi(text)
	if err != nil {
		return edr.ErrUnknownSensor
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.dice.IntN(10) {
	case 0:
		return edr.ErrServer
	case 1: // it arrives, and nobody is told
		m.set(id, isolated)
		return edr.ErrAmbiguous
	}
	m.set(id, isolated)
	return nil
}

func (m *moody) set(id int, isolated bool) {
	switch {
	case isolated && m.state[id] != edr.Isolated:
		m.state[id] = edr.IsolateRequested
	case !isolated && m.state[id] != edr.NotIsolated:
		m.state[id] = edr.ReleaseRequested
		if m.dead[id] {
			return
		}
	}
	m.follows[id] = time.Now().Add(time.Duration(m.dice.IntN(20)) * time.Minute)
}

// undoWorlds: go test ./pkg/guard -run Undo -undo 20 is the long form.
var undoWorlds = flag.Int("undo", 1, "random worlds in TestEveryUndoHappensOrIsTold")

// TestEveryUndoHappensOrIsTold: sensors are isolated with undo_after while server
// and sensors misbehave, and the scheduler is restarted again and again. In the
// end each sensor that was isolated has rejoined, or the end of its undo as
// something other than succeeded was reported.
func TestEveryUndoHappensOrIsTold(t *testing.T) {
	for seed := range uint64(*undoWorlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { undoAll(t, seed) })
		})
	}
}

func undoAll(t *testing.T, seed uint64) {
	const size = 20
	m := &moody{size: size, dice: rand.New(rand.NewPCG(seed, 1)), state: map[int]edr.Isolation{}, follows: map[int]time.Time{}, dead: map[int]bool{7: true}}
	for id := 1; id <= size; id++ {
		m.state[id] = edr.NotIsolated
	}
	store, table, state := &jobs.Memory{}, &jobs.MemoryTable{}, &guard.Memory{}
	var mu sync.Mutex
	undone, told, isolated := map[int]bool{}, map[int]jobs.State{}, map[int]bool{}
	report := func(_ context.Context, r jobs.Report) error {
		if !r.Final {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !r.Job.Undoes():
			isolated[looseid.Sensor(r.Job.Endpoint.ID)] = r.Job.State == jobs.Succeeded
		case r.Job.State == jobs.Succeeded:
			undone[looseid.Sensor(r.Job.Endpoint.ID)] = true
		default:
			told[looseid.Sensor(r.Job.Endpoint.ID)] = r.Job.State
		}
		return nil
	}
	for life := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		g := guard.New(guard.Config{Store: state})
		s, err := jobs.New(jobs.Config{Server: m, Store: store, Table: table, Report: report, Admit: g.Admit})
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		if life == 0 {
			for id := 1; id <= size; id++ {
				_, err := s.Enqueue(ctx, &jobs.Job{Rule: "r", Submitter: "rule", Endpoint: edr.Endpoint{ID: fmt.Sprint(id)}, Timeout: 200 * time.Hour, Steps: []actions.Step{{ID: "iso", Uses: "isolate", UndoAfter: 4 * time.Hour}}})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		// The first lives are short: restarts fall into the isolating and undoing.
		time.Sleep(min(time.Duration(life+1)*37*time.Minute, 20*time.Hour))
		if life == 11 {
			time.Sleep(100 * time.Hour)
		}
		cancel()
		running.Wait()
	}
	for id := 1; id <= size; id++ {
		rejoined := m.state[id] == edr.NotIsolated
		switch {
		case undone[id] && !rejoined:
			t.Errorf("sensor %d: the undo is said to be done, it is %s", id, m.state[id])
		case isolated[id] && !rejoined && told[id] == "":
			t.Errorf("sensor %d is %s, and nobody was told", id, m.state[id])
		}
	}
	t.Logf("%d isolated, %d rejoined, told of %v", count(isolated), len(undone), told)
	if len(undone) < count(isolated)*3/4 || told[7] == "" && isolated[7] {
		t.Errorf("undone %v, told %v", undone, told)
	}
}

func count(m map[int]bool) (n int) {
	for _, yes := range m {
		if yes {
			n++
		}
	}
	return n
}
