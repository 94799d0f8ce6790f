package intake

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"edrpipe/internal/fleet"
	"edrpipe/internal/telemetry"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// worlds is how many random worlds TestNothingRunsOnAnEndpointThatWasNotMeant draws.
const worlds = "10000"

// serverDrawn is a server of a world and what it has been asked to do. It implements
// edr.Server and edr.Isolator.
type serverDrawn struct {
	Label    string
	Cloud    bool // of the kind carbonblack-cloud
	Accept   []string
	Mismatch jobs.HostMismatch
	Fleet    []edr.Sensor

	mu       sync.Mutex
	isolated map[string]bool
}

var errNone = errors.New("the world has no such thing")

func (s *serverDrawn) Name() string { return s.Label }

func (s *serverDrawn) Sensor(_ context.Context, id string) (edr.Sensor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.Fleet {
		if one.ID == id {
			one.Isolation = edr.NotIsolated
			if s.isolated[id] {
				one.Isolation = edr.Isolated
			}
			return one, nil
		}
	}
	return edr.Sensor{}, fmt.Errorf("sensor %s: %w", id, edr.ErrUnknownSensor)
}

func (s *serverDrawn) Sensors(_ context.Context, q edr.SensorQuery) ([]edr.Sensor, error) {
	return slices.DeleteFunc(slices.Clone(s.Fleet), func(one edr.Sensor) bool {
		return !strings.Contains(strings.ToLower(one.Hostname), strings.ToLower(q.Hostname))
	}), nil
}

func (s *serverDrawn) Sessions(context.Context) ([]edr.SessionInfo, error)     { return nil, nil }
func (s *serverDrawn) Open(context.Context, string) (edr.Session, error)       { return nil, errNone }
func (s *serverDrawn) Attach(context.Context, string) (edr.Session, error)     { return nil, errNone }
func (s *serverDrawn) CloseSession(context.Context, string) error              { return nil }
func (s *serverDrawn) Commands(context.Context, string) ([]edr.Command, error) { return nil, errNone }

func (s *serverDrawn) SetIsolation(_ context.Context, id string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isolated[id] = on
	return nil
}

// memoryLedger is an actions.Ledger of one test.
type memoryLedger struct {
	mu sync.Mutex
	of map[string]actions.Containment
}

func (l *memoryLedger) Update(_ context.Context, key string, change func(*actions.Containment) error) (actions.Containment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.of[key]
	if !ok {
		c.Key = key
	}
	if err := change(&c); err != nil {
		return c, err
	}
	l.of[key] = c
	return c, nil
}

// lived is what came of a world.
type lived struct {
	acted    map[edr.Endpoint]bool
	refusals []string // of each event: why nothing was done; "" where something was
}

// live runs the world: its events through decoding, rules, routing and schedulers, on
// its servers.
func (w world) live(ctx context.Context, parts parts) (lived, error) {
	var members []*fleet.Member
	store := new(jobs.Memory)
	ledger := &memoryLedger{of: map[string]actions.Containment{}}
	for _, s := range w.Servers {
		for i := range s.Fleet {
			s.Fleet[i].LastCheckin, s.Fleet[i].NextCheckin = time.Now().Add(-time.Duration(i)*time.Minute), time.Now().Add(30*time.Second)
		}
		m := fleet.NewMember(s.Label, "", s.Accept, s, directory.New(directory.Config{Server: s, Log: zerolog.Nop()}))
		m.Kind = s.kind()
		scheduler, err := jobs.New(jobs.Config{
			Server: s, Store: store, Owner: "test", HostMismatch: s.Mismatch, Log: zerolog.Nop(), Prepare: func(t *actions.Task) { t.Ledger = ledger },
		})
		if err != nil {
			return lived{}, err
		}
		m.Scheduler = scheduler
		if w.Read {
			if err := m.Directory.Read(ctx); err != nil {
				return lived{}, err
			}
		}
		members = append(members, m)
	}
	f, err := fleet.New(fleet.Config{Members: members, Store: store, Log: zerolog.Nop()})
	if err != nil {
		return lived{}, err
	}
	set := NewRuleset(parts.live, nil)
	set.Enrich = func(e *events.Event) { _ = f.Fill(ctx, e) } // the records have come
	in := New(Config{
		Rules: set, Guard: guard.New(guard.Config{Policy: &guard.Policy{}, Now: time.Now, Log: zerolog.Nop()}), Fleet: f, Metrics: parts.metrics, Tracing: parts.tracing, Now: time.Now, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	out := lived{acted: map[edr.Endpoint]bool{}}
	var made [][]*candidate
	for n, e := range w.Events {
		all, err := in.candidatesFor(ctx, e.message(n))
		if err != nil {
			return out, fmt.Errorf("event %+v: %w", e, err)
		}
		made = append(made, all)
	}
	time.Sleep(time.Minute)
	for i, all := range made {
		why, err := refusalOf(ctx, store, all)
		if err != nil {
			return out, fmt.Errorf("event %+v: %w", w.Events[i], err)
		}
		out.refusals = append(out.refusals, why)
	}
	stop()
	for _, s := range w.Servers {
		for id := range s.isolated {
			out.acted[edr.Endpoint{Server: s.Label, ID: id}] = true
		}
	}
	return out, <-ended
}

// candidatesFor does what the intake does with a message, but for suppression and
// notices, which need a bus; the jobs are enqueued.
func (in *Intake) candidatesFor(ctx context.Context, m events.Message) ([]*candidate, error) {
	f := in.find(m)
	if len(f.found.Rejects)+len(f.found.Failures) > 0 {
		return nil, fmt.Errorf("rejects %v, failures %v", f.found.Rejects, f.found.Failures)
	}
	ours, all := in.ours(&f)
	for i := range ours {
		of, err := in.candidates(ctx, f.set, &ours[i])
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	for _, a := range all {
		if a.makes() {
			if _, err := in.Fleet.Enqueue(ctx, a.job); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// refusalOf is why nothing was done for an event; "" where it was.
func refusalOf(ctx context.Context, store jobs.Store, all []*candidate) (string, error) {
	if len(all) != 1 {
		return "", fmt.Errorf("%d candidates, want one", len(all))
	}
	if a := all[0]; a.reason != "" {
		return a.reason, nil
	}
	j, err := store.Get(ctx, all[0].job.ID)
	if err != nil {
		return "", err
	}
	if j.State == jobs.Succeeded {
		return "", nil
	}
	return cmp.Or(string(j.Reason), "NO REASON: "+string(j.State)), nil
}

// parts are what all worlds share.
type parts struct {
	live    *rules.Live
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing
}

func newParts(t *testing.T) parts {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	const text = `rules:
  - { id: contain, on: process_start, when: process.name == "evil.exe", max_age: any, steps: [ { uses: isolate } ] }
  - { id: alert, on: alert, when: alert.severity >= 8, max_age: any, steps: [ { uses: isolate } ] }
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := rules.NewLive(rules.LiveConfig{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	tracing, err := telemetry.NewTracing(t.Context(), "", "test")
	if err != nil {
		t.Fatal(err)
	}
	return parts{live, telemetry.New(), tracing}
}

// TestNothingRunsOnAnEndpointThatWasNotMeant: whatever servers, ids and names events
// have, what is done is done on the endpoint that the event means by the contract;
// where that is known it is done; and every refusal has its reason.
func TestNothingRunsOnAnEndpointThatWasNotMeant(t *testing.T) {
	if !testing.Short() {
		if err := flag.Set("rapid.checks", worlds); err != nil {
			t.Fatal(err)
		}
	}
	shared := newParts(t)
	seen, of := map[string]int{}, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt) // outside of the bubble: drawing may panic, to shrink
		var out lived
		var err error
		synctest.Test(t, func(t *testing.T) { out, err = w.live(t.Context(), shared) })
		if err != nil {
			rt.Fatal(err)
		}
		allowed := map[edr.Endpoint]bool{}
		for i, e := range w.Events {
			at, ok := w.meant(e)
			if ok {
				allowed[at] = true
			}
			seen[out.refusals[i]]++
			if s := w.taker(e); s != nil {
				of[fmt.Sprintf("%s to a %s: %s", e.Form, s.kind(), out.refusals[i])]++
			}
			switch why := out.refusals[i]; {
			case strings.HasPrefix(why, "NO REASON"):
				rt.Fatalf("event %+v: %s", e, why)
			case ok && why != "":
				rt.Fatalf("event %+v means %s, and was refused: %s\n%s", e, at, why, w)
			case ok && !out.acted[at]:
				rt.Fatalf("event %+v means %s, where nothing was done\n%s", e, at, w)
			case !ok && why == "":
				rt.Fatalf("event %+v means no endpoint that can be told, and its job succeeded\n%s", e, w)
			}
		}
		for at := range out.acted {
			if !allowed[at] {
				rt.Fatalf("%s was acted on, which no event meant: %+v\n%s", at, w.Events, w)
			}
		}
	})
	for _, reason := range []string{"", otherServer, string(jobs.ReasonOtherHost), string(jobs.ReasonUnknownSensor), rules.NoSensor, rules.SeveralSensors} {
		if seen[reason] == 0 && !testing.Short() {
			t.Errorf("no world had an event that ended as %q: %v", reason, slices.Sorted(maps.Keys(seen)))
		}
	}
	for _, form := range forms {
		for _, s := range []*serverDrawn{{}, {Cloud: true}} {
			want := ""
			if form.cloud() != s.Cloud {
				want = otherServer
			}
			if key := fmt.Sprintf("%s to a %s: %s", form, s.kind(), want); of[key] == 0 && !testing.Short() {
				t.Errorf("no world had %s: %v", key, of)
			}
		}
	}
	t.Log(seen)
	t.Log(of)
}
