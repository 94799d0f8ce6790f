package jobs

import (
	"slices"
	"sync"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"

	"github.com/rs/zerolog"
)

// A board is what the parts of a scheduler share in memory: jobs and sensors in their
// order, the visits, and whether work may begin. Methods lock mu, or say that it is held.
type board struct {
	cfg     Config
	log     zerolog.Logger
	reviews *reviews

	wake   chan struct{} // something changed: look again; holds one
	unread chan struct{} // a sensor has never been read; holds one

	mu        sync.Mutex // guards what follows
	queue     *order.Queue
	visits    map[edr.Endpoint]*visit
	ending    map[string]edr.Endpoint // sensors of jobs that have ended and are not archived yet
	functions map[string]*Handle
	waiters   map[string][]chan struct{}
	unseen    map[string]bool // live jobs that a new watch has not shown yet
	paused    string          // why; "" when it is not
	ready     bool            // every live job is known
	stopping  bool
}

func newBoard(cfg Config) *board {
	return &board{
		cfg: cfg, log: cfg.Log.With().Str("server", cfg.Server.Name()).Logger(), reviews: newReviews(),
		wake: make(chan struct{}, 1), unread: make(chan struct{}, 1),
		queue: order.New(cfg.Ageing), visits: map[edr.Endpoint]*visit{}, ending: map[string]edr.Endpoint{},
		functions: map[string]*Handle{}, waiters: map[string][]chan struct{}{},
	}
}

// note takes a record into the queue; b.mu is held.
func (b *board) note(j *Job) {
	if j.State.Terminal() {
		b.queue.Remove(j.ID, b.cfg.Now())
		b.ending[j.ID] = j.Endpoint
		// Whoever ended it also reports and archives it. If that does not happen, we do.
		b.reviews.later(j.ID, b.cfg.Beat*stopAfter)
		if j.Parent != nil {
			b.reviews.add(j.Parent.Job)
		}
		return
	}
	now := b.cfg.Now()
	sn := b.queue.Sensor(j.Endpoint)
	e := b.queue.NewEntry(j)
	if b.functions[j.ID] != nil {
		e.Session, e.Volatile = true, true
	}
	b.queue.Put(e, now)
	if sn.Read.IsZero() {
		signal(b.unread)
	}
	if v := b.visits[j.Endpoint]; v != nil {
		v.noticed(j)
	} else if j.Cancel != nil || b.desire(e, now) != nil {
		b.reviews.add(j.ID)
	}
	if j.State == Held && j.Decided(now) {
		b.reviews.add(j.ID) // whoever took the answer died before acting on it
	}
}

// gone forgets a job that left the live ones; b.mu is held.
func (b *board) gone(id string) {
	b.queue.Remove(id, b.cfg.Now())
	delete(b.ending, id)
	b.reviews.forget(id)
	for _, w := range b.waiters[id] {
		close(w)
	}
	delete(b.waiters, id)
}

// hold keeps a job whose record does not verify from running; others go on. b.mu is held.
func (b *board) hold(id string) {
	if e := b.queue.Job(id); e != nil {
		if v := b.visits[e.Sensor.Endpoint]; v != nil && v.runs(id) {
			v.cancel(run.ErrFenced)
		}
	}
	b.queue.Remove(id, b.cfg.Now())
	delete(b.ending, id)
	b.reviews.forget(id)
}

// poke has the dispatcher look again.
func (b *board) poke() { signal(b.wake) }

// signal puts a token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// knows reports whether the job is among the live ones.
func (b *board) knows(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ending := b.ending[id]
	return ending || b.queue.Job(id) != nil
}

func (b *board) stateOf(id string) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.queue.Job(id); e != nil {
		return e.State
	}
	return Running // between its last step and its end
}

// function is the handle of a function job that has not ended, or nil.
func (b *board) function(id string) *Handle {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.functions[id]
}

// ofGroup lists the live jobs of a job's group.
func (b *board) ofGroup(j *Job) (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(b.queue.OfGroup(j.Group), func(id string) bool { return id == j.ID })
}

// halted is why nothing may be started; "" when it may. b.mu is held.
func (b *board) halted() string {
	if b.paused == "" && b.cfg.Stopped != nil {
		if err := b.cfg.Stopped(); err != nil {
			return err.Error()
		}
	}
	return b.paused
}

// down is why the server does not work; "" when it does.
func (b *board) down() string {
	if b.cfg.Down == nil {
		return ""
	}
	return b.cfg.Down()
}

// mayBegin reports whether jobs may be begun now. b.mu is held.
func (b *board) mayBegin() bool { return b.halted() == "" && b.down() == "" }

func (b *board) progress(id, text string) {
	if h := b.function(id); h != nil {
		h.mu.Lock()
		h.progress = text
		h.mu.Unlock()
	}
}
