package run

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// Func is a job that is a Go function.
type Func func(ctx context.Context, session edr.Session) (any, error)

type progressKey struct{}

// Progress notes how far a function has come; ctx is the function's.
func Progress(ctx context.Context, text string) {
	if say, ok := ctx.Value(progressKey{}).(func(string)); ok {
		say(text)
	}
}

// Function runs a function job on the place's session and gives done its result.
func (x *Execution) Function(ctx context.Context, run Func, done func(result any, err error)) *Halt {
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeLeft(), errTimeout)
	defer cancel()
	session, err := x.place.Open(ctx)
	if err != nil {
		return &Halt{Move: job.Move{To: job.Queued, Detail: err.Error()}}
	}
	ctx = context.WithValue(ctx, progressKey{}, func(text string) { x.cfg.Progress(x.id, text) })
	ctx = edr.WithTrace(ctx, &edr.Trace{Submitting: func(ctx context.Context, _, _, _ string, _ int64) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		a := &attempt{x: x}
		return a.allowed()
	}})
	result, err := call(ctx, run, session)
	m := job.Move{To: job.Succeeded}
	switch {
	case errors.Is(context.Cause(ctx), ErrCancelRequested):
		m = x.cancelled("").Move
		err = errors.Join(ErrCancelRequested, err)
	case err != nil:
		m = job.Move{To: job.Failed, Reason: job.ReasonStep, Detail: err.Error()}
	}
	done(result, err)
	return &Halt{Move: m}
}

// call runs a caller's function; its panic is its error.
func call(ctx context.Context, run Func, session edr.Session) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("function panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return run(ctx, session)
}
