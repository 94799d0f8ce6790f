package run

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/pace"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/jobs/job"
)

// Config is a run's interface to its scheduler. All functions are required unless their
// comment allows nil.
type Config struct {
	Server   edr.Server
	Lists    expression.Lists // of in_list in steps' expressions; nil: none
	Step     time.Duration    // how long a step may take where it has no Timeout
	Chain    time.Duration    // how long a job may run where it has no Timeout
	Mismatch Mismatch         // of host names
	Now      func() time.Time
	Log      zerolog.Logger

	Facts     Facts                                                                       // nil: events have all that is known
	Prepare   func(t *actions.Task)                                                       // nil: tasks are complete
	Admit     func(ctx context.Context, r admission.Request) admission.Verdict            // nil: everything is allowed
	Stopped   func() error                                                                // nil: never
	Commanded func(c Commanded)                                                           // nil: nobody is told
	Enqueue   func(ctx context.Context, j *job.Job) error                                 // children and undos
	Move      func(ctx context.Context, j *job.Job, m job.Move) error                     // the transition at the end
	StepEnded func(ctx context.Context, id string, r job.StepRecord, now func() *job.Job) // a step's end is recorded
	Progress  func(id, text string)
}

// Place is the sensor that a job runs on, held under a claim, with one session.
type Place interface {
	// Open returns the session, opening it if there is none.
	Open(ctx context.Context) (edr.Session, error)
	// Session is the open session, or nil.
	Session() edr.Session
	// Close ends the session. After nil the server refuses its commands.
	Close(ctx context.Context) error
	// Info is what is known of the sensor, and since when.
	Info() (edr.Sensor, time.Time)
	// Valid returns ErrFenced unless the claim is held at this moment.
	Valid() error
	// Lose ends all work under the claim: it is another replica's.
	Lose()
	// Stopping reports whether the scheduler shuts down.
	Stopping() bool
	// GiveWay reports whether the job gives its slot up between two steps, and why.
	GiveWay(id string) (why string, gives bool)
	// Parting is a context for giving things back: it outlives ctx for a while.
	Parting(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc)
}

// Commanded is a command that a step has run to its end.
type Commanded struct {
	Job     *job.Job // read only, and only during the call
	Step    job.StepRecord
	Command edr.Command
	Sent    time.Time // when its request left
	First   bool      // of the job's commands, since it was last started
}

// Causes that end an execution.
var (
	ErrCancelRequested = errors.New("cancelled on request")
	errTimeout         = errors.New("the job's time is over")
	// ErrFenced means that the claim is not held any more, or that this cannot be
	// known: nothing may be done under it, neither on the sensor nor in the record.
	ErrFenced = errors.New("claim on the sensor is lost")
	// ErrNoSlot means that no session can be had without waiting for a slot.
	ErrNoSlot = errors.New("no session slot is free")
)

const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// Execution is one job being run at a place. Its chain is one goroutine, and one
// more for each parallel step without a session.
type Execution struct {
	cfg      *Config
	place    Place
	id       string
	store    job.Store
	stop     context.CancelCauseFunc
	saving   chan struct{} // holds one: its holder writes the record
	commands atomic.Int64  // that have ended
	progress
}

// progress is how far the job has come.
type progress struct {
	mu  sync.Mutex // guards what follows
	job *job.Job

	chainBinder, failureBinder *actions.Binder
}

// New returns the execution of a job whose record says that it runs under the
// place's claim. stop ends the context that it is run with.
func New(cfg *Config, place Place, store job.Store, j *job.Job, stop context.CancelCauseFunc) *Execution {
	return &Execution{
		cfg: cfg, place: place, id: j.ID, store: store, stop: stop, saving: make(chan struct{}, 1),
		progress: progress{job: j},
	}
}

// ID is the job's.
func (x *Execution) ID() string { return x.id }

// Cancel ends the execution at a person's request.
func (x *Execution) Cancel() { x.stop(ErrCancelRequested) }

// Halt ends an execution before its chain has ended: the job waits for something,
// or must not go on here.
type Halt struct {
	job.Move        // where the job goes
	Keep     bool   // leave the record as it is: the next owner of the claim decides
	Text     string // for the log, with Keep
	Off      error  // why the sensor is left alone for a while; nil: it is not
}

// Chain runs the job's steps from where it stopped last, in the time it has left.
func (x *Execution) Chain(ctx context.Context) *Halt {
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeLeft(), errTimeout)
	defer cancel()
	return x.chain(ctx)
}

// End records what became of the job and reports whether it is recorded. While the
// store does not answer it tries again until ctx ends.
func (x *Execution) End(ctx context.Context, h *Halt) bool {
	if h.Keep {
		x.cfg.Log.Info().Str("job", x.id).Str("why", h.Text).Msg("job left to the next owner of its sensor's claim")
		return false
	}
	x.saving <- struct{}{}
	defer func() { <-x.saving }()
	j := x.snapshot()
	for n := 0; ; n++ {
		err := x.cfg.Move(ctx, j, h.Move)
		if err == nil {
			return true
		}
		if errors.Is(err, job.ErrConflict) {
			if err = x.merge(ctx, j); err == nil {
				continue
			}
		}
		if errors.Is(err, ErrFenced) || pace.Sleep(ctx, pace.Backoff(firstPause/10, n, 5*time.Second)) != nil {
			x.cfg.Log.Warn().Err(err).Str("job", x.id).Msg("the job's end could not be recorded")
			return false
		}
	}
}

// Keeps reports whether the halt goes before others of the same parallel block.
func (h *Halt) Keeps() bool { return h.Keep }
