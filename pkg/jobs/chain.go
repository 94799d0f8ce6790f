package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/internal/pace"
	"edrpipe/pkg/jobs/job"
)

func (x *execution) timeLeft() time.Duration {
	limit := x.job.Timeout
	if limit <= 0 {
		limit = x.s.cfg.Chain
	}
	return max(limit-x.job.Ran, time.Second)
}

// chain runs the steps from where the job stopped last.
func (x *execution) chain(ctx context.Context) *halt {
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
func (x *execution) steps(ctx context.Context, steps []actions.Step, cleanup bool) *halt {
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
func (x *execution) interrupted(ctx context.Context) *halt {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errFenced):
		return &halt{keep: true, text: "the claim was lost"}
	case errors.Is(cause, errCancelRequested):
		return x.cancelled("")
	case errors.Is(cause, errChainTimeout):
		return &halt{Move: job.Move{To: Failed, Reason: ReasonTimeout, Detail: "the job's time is over"}}
	case cause != nil:
		return &halt{Move: job.Move{To: Queued, Reason: ReasonShutdown}}
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.stopping {
		return &halt{Move: job.Move{To: Queued, Reason: ReasonShutdown}}
	}
	return nil
}

func (x *execution) cancelled(detail string) *halt {
	x.mu.Lock()
	defer x.mu.Unlock()
	text := "on request"
	if x.job.Cancel != nil {
		text = x.job.Cancel.String()
	}
	if detail != "" {
		text += "; " + detail
	}
	return &halt{Move: job.Move{To: Cancelled, Reason: ReasonCancelled, Detail: text}}
}

// verdict is how a chain that has come to its end ends the job.
func (x *execution) verdict() *halt {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed == nil {
		return &halt{Move: job.Move{To: Succeeded}}
	}
	return &halt{Move: job.Move{
		To: x.worst, Reason: x.reason, Detail: fmt.Sprintf("step %s: %s", x.failed.ID, x.failed.Error),
	}}
}

// end writes what became of the job and tells whether the visit can go on. A
// store that does not answer is asked until the claim is lost.
func (x *execution) end(h *halt) bool {
	if h.keep {
		x.s.log.Info().Str("job", x.id).Str("why", h.text).Msg("leaving the job to whoever resumes it")
		return false
	}
	x.saving <- struct{}{}
	defer func() { <-x.saving }()
	j := x.snapshot()
	for n := 0; ; n++ {
		err := x.s.transition(x.v.ctx, j, h.Move, nil)
		if err == nil && h.off != nil {
			x.s.holdOff(x.v.sensor, h.Reason, h.off, snoozeFor)
			return false
		}
		if err == nil {
			return x.v.ctx.Err() == nil
		}
		if errors.Is(err, ErrConflict) {
			if err = x.merge(x.v.ctx, j); err == nil {
				continue
			}
		}
		if errors.Is(err, errFenced) || pace.Sleep(x.v.ctx, pace.Backoff(firstPause/10, n, 5*time.Second)) != nil {
			x.s.log.Warn().Err(err).Str("job", x.id).Msg("ending the job")
			return false
		}
	}
}
