package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/run"
)

// ErrLost is the error of a function whose scheduler stopped before it had run.
var ErrLost = errors.New("the scheduler stopped before the function had run")

// A Func is a job that is a Go function. It lives in memory: unlike a recorded
// job it dies with its process.
type Func struct {
	Sensor    string // its id
	Run       func(ctx context.Context, session edr.Session) (any, error)
	Submitter string        // for its share; ""
	Priority  Priority      // "": normal
	Deadline  time.Time     // until when it may wait to start; zero: Config.Wait
	Timeout   time.Duration // once it runs; 0: Config.Chain
}

// Submit has a function run on a sensor's session, after the sensor's earlier
// jobs, and returns at once. The function gets one session and may use it as it
// likes until it returns; the session is kept for the sensor's next job.
func (s *Scheduler) Submit(ctx context.Context, sensor string, run func(ctx context.Context, session edr.Session) (any, error)) (*Handle, error) {
	return s.SubmitFunc(ctx, Func{Sensor: sensor, Run: run})
}

// SubmitFunc is Submit with all options of a function.
func (s *Scheduler) SubmitFunc(ctx context.Context, f Func) (*Handle, error) {
	if f.Run == nil || f.Sensor == "" {
		return nil, errors.New("jobs: a function job needs a sensor and a function")
	}
	now := s.cfg.Now()
	if f.Deadline.IsZero() {
		f.Deadline = now.Add(s.cfg.Wait)
	}
	if f.Priority == "" {
		f.Priority = Normal
	}
	j := &Job{
		ID: NewID(), Submitter: f.Submitter, Endpoint: edr.Endpoint{Server: s.cfg.Server.Name(), ID: f.Sensor}, Priority: f.Priority,
		Timeout: f.Timeout, Created: now, Deadline: f.Deadline, Updated: now, State: Queued,
		History: []Transition{{At: now, State: Queued}},
	}
	h := &Handle{s: s, id: j.ID, run: f.Run, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.finished:
		return nil, ErrLost
	default:
	}
	s.functions[j.ID] = h
	if _, err := s.records.volatile.Create(ctx, []*Job{j}); err != nil {
		return nil, err
	}
	s.note(j)
	s.poke()
	return h, nil
}

// Handle follows a submitted function.
type Handle struct {
	s    *Scheduler
	id   string
	run  func(ctx context.Context, session edr.Session) (any, error)
	done chan struct{}

	mu       sync.Mutex
	result   any
	err      error
	progress string
	onDone   []func(*Handle)
	over     bool
	state    State // at the end
}

// ID names the job, for Explain and List.
func (h *Handle) ID() string { return h.id }

// Done is closed when the job has ended.
func (h *Handle) Done() <-chan struct{} { return h.done }

// Wait blocks until the job's end and returns the function's result and error. For a job
// that ended before the function returned the error is the reason of that end.
func (h *Handle) Wait(ctx context.Context) (any, error) {
	select {
	case <-h.done:
		return h.Result()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Result is what Wait returns, without waiting: both are nil before the end.
func (h *Handle) Result() (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.result, h.err
}

// State is how far the job has come.
func (h *Handle) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return h.state
	}
	return h.s.stateOf(h.id)
}

// Cancel takes the job back, or ends the function's context if it runs.
func (h *Handle) Cancel(ctx context.Context) error {
	_, err := h.s.Cancel(ctx, h.id, "its submitter", "")
	return err
}

// Progress is the latest progress text of the function.
func (h *Handle) Progress() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.progress
}

// OnDone has f called when the job has ended, at once if it has. Callbacks of one
// handle run one after the other; a slow one delays the sensor's next job.
func (h *Handle) OnDone(f func(*Handle)) {
	h.mu.Lock()
	if !h.over {
		h.onDone = append(h.onDone, f)
		h.mu.Unlock()
		return
	}
	h.mu.Unlock()
	f(h)
}

// end settles the handle; the first call counts.
func (h *Handle) end(state State, result any, err error) {
	h.mu.Lock()
	if h.over {
		h.mu.Unlock()
		return
	}
	h.over, h.state, h.result, h.err = true, state, result, err
	callbacks := h.onDone
	h.mu.Unlock()
	close(h.done)
	for _, f := range callbacks {
		f(h)
	}
}

// Progress notes how far a function has come; ctx is the function's.
func Progress(ctx context.Context, text string) { run.Progress(ctx, text) }

// returned notes what the function returned.
func (h *Handle) returned(result any, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.result, h.err = result, err
}

// loseFunctions ends the handles of functions that will not run any more.
func (s *Scheduler) loseFunctions() {
	s.mu.Lock()
	handles := s.functions
	s.functions = map[string]*Handle{}
	s.mu.Unlock()
	for _, h := range handles {
		h.end(Cancelled, nil, ErrLost)
	}
}
