package run

import (
	"context"
	"errors"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/chain"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

const (
	defaultBackoff = 2 * time.Second  // doubled from try to try
	longestBackoff = 10 * time.Minute // of a step
	waitInPlace    = 15 * time.Second // a longer wait gives the session to others
)

// again prepares another try, or gives up. What may have been sent is looked up
// before that.
func (a *attempt) again(ctx context.Context, sent bool) *Halt {
	if sent && a.x.place.Session() != nil {
		// Whatever is still on its way must not arrive after we have looked.
		a.retract(ctx)
		if err := a.x.place.Close(ctx); err != nil {
			return &Halt{Keep: true, Text: err.Error()}
		}
	}
	if !a.mayRetry(a.last) {
		if !sent || a.spec.Class == actions.Repeatable {
			a.rec.State, a.rec.Reason = job.StepFailed, retryReason(a.last)
		}
		return nil
	}
	backoff := defaultBackoff
	if a.st.Retry != nil && a.st.Retry.Backoff > 0 {
		backoff = a.st.Retry.Backoff
	}
	a.rec.Until = a.x.cfg.Now().Add(pace.Backoff(backoff, a.rec.Attempts-1, longestBackoff))
	if a.spec.Class == actions.Repeatable {
		a.rec.State = job.StepPending
	}
	if err := a.record(ctx); err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return nil
}

// mayRetry reports whether the step's author wants another try after such an error.
func (a *attempt) mayRetry(err error) bool {
	return chain.MayRetry(a.st, a.rec.Attempts, retryName(err))
}

// retryName is the word for an error in a rule's retry.on; "" is not retryable.
func retryName(err error) string {
	switch {
	case errors.Is(err, edr.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, edr.ErrSessionBusy), errors.Is(err, edr.ErrSessionGone), errors.Is(err, edr.ErrOffline),
		errors.Is(err, edr.ErrSessionLimit):
		return "sensor_busy"
	case errors.Is(err, edr.ErrServer), errors.Is(err, edr.ErrAmbiguous):
		return "server_error"
	}
	return ""
}

func retryReason(err error) job.Reason {
	if retryName(err) == "timeout" {
		return job.ReasonTimeout
	}
	return job.ReasonStep
}

// noSession has the job wait for what kept the session from being opened.
func (a *attempt) noSession() *Halt {
	if errors.Is(a.noOpen, ErrNoSlot) {
		return &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonSlot}}
	}
	if errors.Is(a.noOpen, edr.ErrUnknownSensor) {
		return &Halt{Move: job.Move{To: job.Failed, Reason: job.ReasonUnknownSensor, Detail: a.noOpen.Error()}}
	}
	return &Halt{Move: job.Move{To: job.Queued, Detail: a.noOpen.Error()}}
}

// tokenRefused has the job wait for a token that the server takes. That is no failed
// attempt: a request that is refused so does nothing. What came of a command that was
// taken before is looked up then.
func (a *attempt) tokenRefused(ctx context.Context, err error) *Halt {
	if a.taken && a.spec.Class != actions.Repeatable {
		return &Halt{Keep: true, Text: err.Error(), Off: err}
	}
	a.rec.State, a.rec.Attempts = job.StepPending, a.rec.Attempts-1
	if err := a.record(ctx); err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonServer, Detail: err.Error()}, Off: err}
}
