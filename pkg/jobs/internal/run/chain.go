package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/chain"
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
	f := x.flow()
	if h := f.Run(ctx, x.job.Steps, x.job.OnFailure); h != nil {
		return h
	}
	return x.verdict(f.Failed())
}

// between is what to do after a step, or after an item of its loop.
func (x *Execution) between(ctx context.Context) *Halt {
	if h := x.interrupted(ctx); h != nil || !x.unfinished() {
		return h
	}
	if why, gives := x.place.GiveWay(x.id); gives {
		return &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonGaveWay, Detail: "it gave its slot up after a step: " + why}}
	}
	return nil
}

// unfinished reports whether steps of the chain are still to come. What cleans up after
// a failure does not count: it is not put off.
func (x *Execution) unfinished() bool {
	last := x.job.Steps[len(x.job.Steps)-1]
	return !x.stepRecord(&last, 0).State.Ended()
}

// interrupted decides between two steps about a request to stop.
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
func (x *Execution) verdict(failure *chain.Failure) *Halt {
	x.mu.Lock()
	defer x.mu.Unlock()
	if failure == nil {
		return &Halt{Move: x.job.Outcome()}
	}
	m := job.Move{To: job.Failed, Reason: job.ReasonStep, Detail: fmt.Sprintf("step %s: %s", failure.Result.ID, failure.Result.Error)}
	switch reason := job.Reason(failure.End.Reason); {
	case failure.End.State == chain.Unknown:
		m.To, m.Reason = job.Unknown, job.ReasonUnknown
	case reason == job.ReasonDenied, reason == job.ReasonUnanswered, reason == job.ReasonOtherHost:
		m.To, m.Reason = job.Denied, reason
	case reason != "":
		m.Reason = reason
	}
	return &Halt{Move: m}
}
