package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"edrpipe/pkg/edr"
)

var (
	errCrashed    = errors.New("the process is dead")
	errServer     = fmt.Errorf("500: %w", edr.ErrServer)
	errLostAnswer = fmt.Errorf("the answer was lost: %w", edr.ErrAmbiguous)
)

// crasher ends the life of one process at its nth effect on the world: a write
// to the store or the slot table, a request to the EDR server, a report. From
// then on nothing that the process does has any effect. The fatal one itself
// happens where after is set, and its answer is lost; otherwise it never left.
// A nil crasher lets everything through.
//
// With stall set the process does not die but stands still for so long, as under
// SIGSTOP: what it was about to do, it does when it wakes.
type crasher struct {
	at    int
	after bool
	stall time.Duration

	mu   sync.Mutex
	till time.Time // end of the stall
	n    int
	dead bool
	what string // the fatal effect
	died chan struct{}
}

func newCrasher(at int, after bool) *crasher {
	return &crasher{at: at, after: after, died: make(chan struct{})}
}

// fatal is the effect that the process died or stood still at; "": it did neither.
func (c *crasher) fatal() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.what
}

func (c *crasher) do(what string, effect func() error) error {
	if c == nil {
		return effect()
	}
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		return errCrashed
	}
	c.n++
	fatal := c.n == c.at
	if c.stall > 0 {
		if fatal {
			c.what, c.till = what, time.Now().Add(c.stall)
		}
		wait := time.Until(c.till)
		c.mu.Unlock()
		time.Sleep(wait)
		return effect()
	}
	if fatal {
		c.dead, c.what = true, what
		close(c.died)
	}
	c.mu.Unlock()
	if fatal && !c.after {
		return errCrashed
	}
	err := effect()
	if fatal {
		return errCrashed
	}
	return err
}

// isDead reports whether the process has died.
func (c *crasher) isDead() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.died:
		return true
	default:
		return false
	}
}

// mortalStore is a store as a process sees it that may die.
type mortalStore struct {
	Store
	crash *crasher
}

func (m mortalStore) Create(ctx context.Context, js []*Job) (created []bool, err error) {
	err = m.crash.do("create", func() error { created, err = m.Store.Create(ctx, js); return err })
	return created, err
}

func (m mortalStore) Update(ctx context.Context, j *Job) error {
	return m.crash.do("update to "+string(j.State), func() error { return m.Store.Update(ctx, j) })
}

func (m mortalStore) Archive(ctx context.Context, j *Job) error {
	return m.crash.do("archive", func() error { return m.Store.Archive(ctx, j) })
}

// mortalTable is a slot table as a process sees it that may die. Heartbeats
// count as effects, too.
type mortalTable struct {
	TableStore
	crash *crasher
}

func (m mortalTable) Save(ctx context.Context, t Table, revision uint64) (next uint64, err error) {
	err = m.crash.do("table", func() error { next, err = m.TableStore.Save(ctx, t, revision); return err })
	return next, err
}

// mortalServer is an EDR server as a process sees it that may die.
type mortalServer struct {
	*fakeServer
	crash *crasher
}

func (m mortalServer) Open(ctx context.Context, sensor string) (session edr.Session, err error) {
	err = m.crash.do("open", func() error { session, err = m.fakeServer.Open(ctx, sensor); return err })
	if err != nil {
		return nil, err
	}
	return session.(*fakeClient).s.client(m.crash), nil
}

func (m mortalServer) CloseSession(ctx context.Context, id string) error {
	return m.crash.do("close", func() error { return m.fakeServer.CloseSession(ctx, id) })
}

func (m mortalServer) SetIsolation(ctx context.Context, id string, isolated bool) error {
	return m.crash.do("isolate", func() error { return m.fakeServer.SetIsolation(ctx, id, isolated) })
}

// world is what outlives a process.
type world struct {
	srv   *fakeServer
	store *Memory
	table *MemoryTable

	processes []process // that were started in it

	mu      sync.Mutex
	results map[string][]State // published, by job
}

// process is a scheduler that may have died; crash is nil where it cannot.
type process struct {
	*Scheduler
	crash *crasher
}

// keeps reports whether the process lives and has a session open under the claim.
func (p process) keeps(sensor edr.Endpoint, cl Claim) bool {
	return !p.crash.isDead() && cl.Session != "" && p.claims.valid(sensor, cl.Epoch) == nil
}

func newWorld(sensors int) *world {
	w := &world{srv: newFakeServer(10), store: new(Memory), table: new(MemoryTable), results: map[string][]State{}}
	w.srv.add(sensors, 30*time.Second)
	return w
}

// published lists the results of a job.
func (w *world) published(id string) []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.results[id])
}

// config is a process in the world, which may die.
func (w *world) config(owner string, crash *crasher) Config {
	return Config{
		Server: mortalServer{w.srv, crash}, Store: mortalStore{w.store, crash}, Table: mortalTable{w.table, crash},
		Owner: owner, Grace: time.Millisecond,
		Report: func(_ context.Context, r Report) error {
			if !r.Final {
				return nil
			}
			return crash.do("result", func() error {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.results[r.Job.ID] = append(w.results[r.Job.ID], r.Job.State)
				return nil
			})
		},
	}
}
