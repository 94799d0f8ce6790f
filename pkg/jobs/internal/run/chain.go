package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/job"
)

func (x *Execution) timeLeft() time.Duration {
	limit := x.job.Timeout
	if limit <= 0 {
		limit = x.cfg.Chain
	}
	return max(limit-x.job.Ran, time.Second)
}

// chain runs the steps from where the job stopped last.
func (x *Execution) chain(ctx context.Context) *Halt {
	if h := x.steps(ctx, x.job.Steps, false); h != nil {
		return h
	}
	if x.failed != nil {
		if h := x.steps(ctx, x.job.OnFailure, true); h != nil {
			return h
		}
	}
	return x.verdict()
}

// steps runs steps in order. cleanup are those of OnFailure, which run because
// the chain has failed.
func (x *Execution) steps(ctx context.Context, steps []actions.Step, cleanup bool) *Halt {
	for i := range steps {
		if h := x.step(ctx, &steps[i], cleanup); h != nil {
			return h
		}
		if h := x.interrupted(ctx); h != nil {
			return h
		}
	}
	return nil
}

// interrupted is what to do between two steps when we are asked to stop.
func (x *Execution) interrupted(ctx context.Context) *Halt {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrFenced):
		return &Halt{Keep: true, Text: "the claim was lost"}
	case errors.Is(cause, ErrCancelRequested):
		return x.cancelled("")
	case errors.Is(cause, errTimeout):
		return &Halt{Move: job.Move{To: job.Failed, Reason: job.ReasonTimeout, Detail: "the job's time is over"}}
	case cause != nil:
		return &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonShutdown}}
	}
	if x.place.Stopping() {
		return &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonShutdown}}
	}
	return nil
}

func (x *Execution) cancelled(detail string) *Halt {
	x.mu.Lock()
	defer x.mu.Unlock()
	text := "on request"
	if x.job.Cancel != nil {
		text = x.job.Cancel.String()
	}
	if detail != "" {
		text += "; " + detail
	}
	return &Halt{Move: job.Move{To: job.Cancelled, Reason: job.ReasonCancelled, Detail: text}}
}

// verdict is how a chain that has come to its end ends the job.
func (x *Execution) verdict() *Halt {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed == nil {
		return &Halt{Move: x.job.Outcome()}
	}
	return &Halt{Move: job.Move{
		To: x.worst, Reason: x.reason, Detail: fmt.Sprintf("step %s: %s", x.failed.ID, x.failed.Error),
	}}
}
