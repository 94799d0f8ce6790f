package jobs

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/jobs/internal/run"
)

// Config is what a Scheduler is made of. Server is required; every zero value
// means the default named with it.
type Config struct {
	Server edr.Server
	Store  Store            // of durable jobs; nil: Memory
	Table  TableStore       // of the slots; nil: MemoryTable, which serves one process
	Lists  expression.Lists // of in_list in steps' expressions; nil: none

	// Owner names this replica in the slot table. Claims found under the same name
	// at start are leftovers of its own crash and are taken back at once, so no two
	// replicas may share it. Empty: unique, and leftovers are taken over as another
	// replica's would be.
	Owner string

	Sessions int // Live Response sessions at once, those of other clients counted; 0: 10
	// HostMismatch decides about a job whose event has another host name than the server's
	// record of the endpoint; empty: the job is held for people.
	HostMismatch HostMismatch

	// Idle is how long a session without work is kept while its slot is not wanted; 0: for
	// as long as it is not.
	Idle time.Duration

	Workers int // sensors worked on at once that need no session; 0: 32

	Poll    time.Duration // between looks at all sensors; 0: 30s
	Pending time.Duration // how long after a sensor's expected check-in its session may stay pending; 0: 45s
	Wait    time.Duration // how long a job waits to start where it has no Deadline; 0: 72h
	Step    time.Duration // how long a step may take where it has no Timeout; 0: 10m
	Chain   time.Duration // how long a job may run where it has no Timeout; 0: 1h
	Grace   time.Duration // how long running steps may go on at shutdown; 0: 20s
	Ageing  time.Duration // a waiting job rises by one priority for each of these; 0: 10m

	// Beat is the time between heartbeats in the slot table; 0: 2s. An owner that
	// cannot renew stops itself after 3 beats, others take over after 5.
	Beat time.Duration

	// Now is the time by which records are stamped and judged. Replicas write and read
	// each other's, so theirs has to be one time. Nil: time.Now.
	Now func() time.Time

	// Prepare completes a task before it is passed to an action: artifacts, publish, HTTP
	// client, scripts, secrets. Nil: the task is passed as it is.
	Prepare func(t *actions.Task)
	// Facts gives a sensor what is known now of an endpoint, over what its events said;
	// conditions of steps see it. Nil: events have all that is known.
	Facts func(ctx context.Context, e edr.Endpoint, now edr.Sensor, s *events.Sensor)
	// Admit is called before a step starts. Nil: every step is allowed.
	Admit func(ctx context.Context, r admission.Request) admission.Verdict
	// Stopped is called before a job begins and before each command is sent. While it
	// returns an error no job starts, a step stops before its command is sent, and the
	// jobs wait in order. It must not block. Nil: never stopped.
	Stopped func() error
	// Down is called before a job begins. While it returns a text the server is
	// unavailable, no job begins on its sensors, and the jobs wait in order with the text
	// as their reason. It must not block; Look ends a wait. Nil: never down.
	Down func() (why string)
	// Report is called for each transition, each ended step and the result, after they
	// are stored. A result is reported again until Report returns nil, also after a crash,
	// so it must be idempotent. It may be called from several goroutines, for one job in
	// order. Nil: no reports.
	Report func(ctx context.Context, r Report) error
	// Commanded is called for each Live Response command whose outcome is known, by the
	// goroutine that works on the sensor. Nil: no calls.
	Commanded func(c Commanded)
	Log       zerolog.Logger
}

// HostMismatch is what becomes of a job on a host name that does not match.
type HostMismatch = run.Mismatch

// Values of a HostMismatch.
const (
	MismatchHold  = run.MismatchHold
	MismatchDeny  = run.MismatchDeny
	MismatchAllow = run.MismatchAllow
)

// Report is one thing that happened to a job.
type Report struct {
	Job        *Job        // a copy; what its fields refer to is read only
	Transition *Transition // nil for a step
	Step       *StepRecord // a step that ended
	Final      bool        // the result: last, and told until it is taken
}

// Commanded is a command that a step has run to its end.
type Commanded = run.Commanded

func (c Config) withDefaults() (Config, error) {
	if c.Server == nil {
		return c, errors.New("jobs: Config.Server is required")
	}
	if c.Store == nil {
		c.Store = new(Memory)
	}
	if c.Table == nil {
		c.Table = new(MemoryTable)
	}
	if c.Owner == "" {
		host, _ := os.Hostname() // only for people who read the table
		c.Owner = host + "-" + strconv.Itoa(os.Getpid()) + "-" + NewID()[:6]
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	setDefault(&c.Sessions, 10)
	setDefault(&c.Workers, 32)
	setDefault(&c.Poll, 30*time.Second)
	setDefault(&c.Pending, 45*time.Second)
	setDefault(&c.Wait, 72*time.Hour)
	setDefault(&c.Step, 10*time.Minute)
	setDefault(&c.Chain, time.Hour)
	setDefault(&c.Grace, 20*time.Second)
	setDefault(&c.Ageing, 10*time.Minute)
	setDefault(&c.Beat, 2*time.Second)
	return c, nil
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
