package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/edr"
)

// flaky is a store that can break.
type flaky struct {
	Store
	broken atomic.Bool
}

func (f *flaky) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if f.broken.Load() {
		return nil, 0, errors.New("out of reach")
	}
	return f.Store.Get(ctx, key)
}

func (f *flaky) Put(ctx context.Context, key string, value []byte, revision uint64) error {
	if f.broken.Load() {
		return errors.New("out of reach")
	}
	return f.Store.Put(ctx, key, value, revision)
}

// fleet is 10,000 sensors that one rule matched at once; every tenth is
// protected.
const fleet = 10_000

func member(id int) admission.Request {
	group := "Office"
	if id%10 == 0 {
		group = "Domain Controllers"
	}
	return isolate(id, group)
}

// storm asks for every sensor on two replicas, which are replaced by new ones
// halfway, and returns the sensors that were let through and how the rest fared.
func storm(t *testing.T, store func() Store, now func() time.Time) (isolated map[int]bool, reasons map[Reason]int) {
	t.Helper()
	isolated, reasons = map[int]bool{}, map[Reason]int{}
	var mu sync.Mutex
	for half := range 2 {
		var replicas sync.WaitGroup
		for replica := range 2 {
			g := newGuard(t, store(), now)
			replicas.Go(func() {
				// Both replicas ask for overlapping sensors, as after a crash.
				for id := 1 + half*fleet/2; id <= (half+1)*fleet/2; id++ {
					if id%4 == 3*replica {
						continue
					}
					v := g.Admit(t.Context(), member(id))
					mu.Lock()
					if v.Decision == admission.Allow {
						isolated[id] = true
					} else {
						reasons[v.Reason]++
					}
					mu.Unlock()
				}
			})
		}
		replicas.Wait()
	}
	return isolated, reasons
}

func checkStorm(t *testing.T, isolated map[int]bool, reasons map[Reason]int) {
	t.Helper()
	t.Logf("%d sensors: %d isolated, others %v", fleet, len(isolated), reasons)
	if len(isolated) != 3 {
		t.Errorf("%d sensors were isolated, the budget is 3", len(isolated))
	}
	for id := range isolated {
		if id%10 == 0 {
			t.Errorf("protected sensor %d was isolated", id)
		}
	}
	if reasons[Budget] == 0 || reasons[Protected] == 0 || len(reasons) != 2 {
		t.Errorf("reasons = %v", reasons)
	}
}

func TestStorm(t *testing.T) {
	store := &Memory{}
	isolated, reasons := storm(t, func() Store { return store }, at(monday))
	checkStorm(t, isolated, reasons)
}

// TestStormOnTheBus shares the budget by the bucket that replicas share.
func TestStormOnTheBus(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	ns := bustest.Serve(t, natsd.Config{})
	store := func() Store { return openKV(t, ns) }
	isolated, reasons := storm(t, store, at(monday))
	checkStorm(t, isolated, reasons)
}

// openKV connects as one more replica.
func openKV(t *testing.T, ns *natsd.Server) Store {
	t.Helper()
	b := bustest.Connect(t, bus.Config{InProcess: ns})
	kv, err := b.Bucket(t.Context(), bus.BucketControl)
	if err != nil {
		t.Fatal(err)
	}
	return KV{kv}
}

func TestKVConflicts(t *testing.T) {
	ns := bustest.Serve(t, natsd.Config{})
	for name, s := range map[string]Store{"kv": openKV(t, ns), "memory": &Memory{}} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if _, rev, err := s.Get(ctx, "guard.x"); err != nil || rev != 0 {
				t.Fatalf("absent: %d, %v", rev, err)
			}
			if err := s.Put(ctx, "guard.x", []byte("1"), 0); err != nil {
				t.Fatal(err)
			}
			if err := s.Put(ctx, "guard.x", []byte("2"), 0); !errors.Is(err, ErrConflict) {
				t.Errorf("create twice: %v", err)
			}
			value, rev, err := s.Get(ctx, "guard.x")
			if err != nil || string(value) != "1" {
				t.Fatalf("get: %q, %v", value, err)
			}
			if err := s.Put(ctx, "guard.x", []byte("3"), rev); err != nil {
				t.Fatal(err)
			}
			if err := s.Put(ctx, "guard.x", []byte("4"), rev); !errors.Is(err, ErrConflict) {
				t.Errorf("old revision: %v", err)
			}
		})
	}
}

// looser is another guards file, which a reload may bring: no approvals, another
// protected group. Its budget is the same one.
const looser = `
protected:
  - { name: domain-controllers, sensors: 'sensor.group == "Servers"', deny: destructive }
budgets:
  - { name: isolations, actions: isolate, sensors: 3, per: 1h }
`

// act is an isolation that was let through.
type act struct {
	sensor int
	at     time.Time
}

// TestNoSequenceLeadsToADeniedAct drives guards by events, reloads, restarts,
// approvals, switches and time at random, and judges each answer that allows by
// a model that knows nothing of how guards decide.
func TestNoSequenceLeadsToADeniedAct(t *testing.T) {
	groups := []string{"Office", "Servers", "Domain Controllers"}
	rapid.Check(t, func(t *rapid.T) {
		now := monday
		clock := func() time.Time { return now }
		store := &flaky{Store: &Memory{}}
		policies := map[string]*Policy{}
		for name, text := range map[string]string{"strict": guards, "loose": looser} {
			p, err := Load(name, []byte(text), known)
			if err != nil {
				t.Fatal(err)
			}
			policies[name] = p
		}
		active := "strict"
		guard := func() *Guard { return New(Config{Store: store, Policy: policies[active], Now: clock}) }
		replicas := []*Guard{guard(), guard()}

		var acts []act
		stopped, dry, silenced := false, false, time.Time{}
		failedAt := []time.Time{}
		openUntil := time.Time{}
		answers := map[int][]admission.Answer{}
		job := 0

		any := func(name string) *Guard { return rapid.SampledFrom(replicas).Draw(t, name) }
		must := func(err error) {
			if err != nil && !store.broken.Load() {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"isolate": func(t *rapid.T) {
				id := rapid.IntRange(1, 8).Draw(t, "sensor")
				group := groups[id%3]
				a := isolate(id, group)
				a.Job = fmt.Sprint("job-", rapid.IntRange(1, 20).Draw(t, "job"))
				a.Answers = answers[id]
				a.RulePath = rapid.SampledFrom([]string{"soc/a.yaml", "community/a.yaml", "trial/a.yaml", ""}).Draw(t, "path")
				a.Shadow = rapid.IntRange(0, 9).Draw(t, "shadow") == 0
				if any("replica").Admit(context.Background(), a).Decision != admission.Allow {
					return
				}
				acts = append(acts, act{id, now})
				recent := map[int]bool{}
				for _, done := range acts {
					if now.Sub(done.at) < time.Hour {
						recent[done.sensor] = true
					}
				}
				people := map[string]bool{}
				for _, answer := range a.Answers {
					people[answer.By] = true
				}
				switch {
				case store.broken.Load():
					t.Fatal("acted without knowing what is stopped")
				case stopped, dry, a.Shadow:
					t.Fatal("acted though acting is off")
				case now.Before(silenced):
					t.Fatal("acted though silenced")
				case len(recent) > 3:
					t.Fatalf("%d sensors within an hour: %v", len(recent), recent)
				case now.Before(openUntil):
					t.Fatal("acted though the breaker is open")
				case active == "strict" && group == "Domain Controllers", active == "loose" && group == "Servers":
					t.Fatalf("isolated a sensor of %s", group)
				case active == "strict" && group == "Servers" && len(people) < 2:
					t.Fatalf("isolated a server with %d approvals", len(people))
				case active == "strict" && (a.RulePath == "trial/a.yaml" || a.RulePath == ""):
					t.Fatalf("acted for a rule of %q", a.RulePath)
				}
			},
			"approve": func(t *rapid.T) {
				id := rapid.IntRange(1, 8).Draw(t, "sensor")
				who := rapid.SampledFrom([]string{"ann", "bob", "cy"}).Draw(t, "who")
				answers[id] = append(answers[id], admission.Answer{By: who, Groups: []string{"soc-leads"}, Allow: true})
			},
			"time":    func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes")) * time.Minute) },
			"restart": func(t *rapid.T) { replicas[rapid.IntRange(0, 1).Draw(t, "replica")] = guard() },
			"reload": func(t *rapid.T) {
				active = rapid.SampledFrom([]string{"strict", "loose"}).Draw(t, "policy")
				for _, g := range replicas {
					g.Use(policies[active])
				}
			},
			"stop": func(t *rapid.T) {
				must(any("replica").Stop(context.Background(), Area{}, "ann", "why"))
				stopped = stopped || !store.broken.Load()
			},
			"resume": func(t *rapid.T) {
				must(any("replica").Resume(context.Background(), Area{}, "ann", "why"))
				stopped = stopped && store.broken.Load()
			},
			"dry run": func(t *rapid.T) {
				on := rapid.Bool().Draw(t, "on")
				must(any("replica").SetDryRun(context.Background(), Area{}, on, "ann", "why"))
				if !store.broken.Load() {
					dry = on
				}
			},
			"silence": func(t *rapid.T) {
				until := now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute)
				must(any("replica").AddSilence(context.Background(), Silence{ID: "s", Rule: "r", Author: "ann", Comment: "c", Expires: until}))
				if !store.broken.Load() {
					silenced = until
				}
			},
			"fail": func(t *rapid.T) {
				job++
				must(any("replica").Failed(context.Background(), "r", fmt.Sprint("failed-", job)))
				if store.broken.Load() || active == "loose" || now.Before(openUntil) {
					return
				}
				failedAt = append(failedAt, now)
				recent := 0
				for _, f := range failedAt {
					if now.Sub(f) < 10*time.Minute {
						recent++
					}
				}
				if recent >= 3 {
					openUntil, failedAt = now.Add(time.Hour), nil
				}
			},
			"break the store":  func(t *rapid.T) { store.broken.Store(true) },
			"repair the store": func(t *rapid.T) { store.broken.Store(false) },
		})
	})
}

func TestProtectionCannotBeSpelledAround(t *testing.T) {
	p := load(t, `protected: [{name: all, sensors: 'icontains(sensor.hostname, "dc")', deny: destructive}]`)
	rapid.Check(t, func(t *rapid.T) {
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		g := New(Config{Policy: p, Now: at(monday)})
		a := isolate(1, "")
		a.Sensor = edr.Sensor{ID: "1", Hostname: before + "Dc" + after}
		if v := g.Admit(context.Background(), a); v.Decision != admission.Deny {
			t.Fatalf("%q: %+v", a.Sensor.Hostname, v)
		}
	})
}
