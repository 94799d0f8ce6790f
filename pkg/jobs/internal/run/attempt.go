package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/pace"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// run tries the action until it has an outcome or has to wait. Each try is permitted
// anew: a guard may have changed since the one before.
func (a *attempt) run(ctx context.Context) *Halt {
	for {
		if a.rec.State != job.StepPending { // a request may have left: see what came of it
			over, h := a.settle(ctx)
			if h != nil {
				return h
			}
			if over {
				return a.conclude(ctx)
			}
		}
		if h := a.wait(ctx); h != nil {
			return h
		}
		if over, h := a.permitted(ctx); h != nil || over {
			return h
		}
		out, err := a.call(ctx)
		if h := a.judge(ctx, out, err); h != nil {
			return h
		}
		if a.rec.State.Ended() {
			return a.conclude(ctx)
		}
	}
}

// attempt is one action of one step being tried.
type attempt struct {
	x      *Execution
	st     *actions.Step
	act    actions.Action
	spec   actions.Spec
	params any
	rec    job.StepRecord
	noOpen error // why the session could not be had
	last   error // of the latest try
	taken  bool  // the server has taken a command of the latest try

	permit  func(*job.StepRecord) verdict
	decided bool // the next try is permitted
}

// permitted decides whether the next try may be made; over means that the step has ended
// without it.
func (a *attempt) permitted(ctx context.Context) (over bool, h *Halt) {
	if a.decided {
		a.decided = false
		return false, nil
	}
	v := a.permit(&a.rec)
	if v.h == nil || v.over {
		return v.over, v.h
	}
	if err := a.record(ctx); err != nil { // that the effect was looked for and is not there
		return false, &Halt{Keep: true, Text: err.Error()}
	}
	return false, v.h
}

// wait lets the back-off of the latest try pass, in place or parked.
func (a *attempt) wait(ctx context.Context) *Halt {
	d := a.rec.Until.Sub(a.x.cfg.Now())
	if d <= 0 {
		return nil
	}
	if d > waitInPlace {
		return a.x.park(job.ReasonRetry, a.rec.Error, d)
	}
	if pace.Sleep(ctx, d) != nil {
		return a.x.interrupted(ctx)
	}
	return nil
}

// call runs the action once.
func (a *attempt) call(ctx context.Context) (out any, err error) {
	a.noOpen, a.taken = nil, false
	a.rec.Attempts++
	if a.rec.Started.IsZero() {
		a.rec.Started = a.x.cfg.Now()
	}
	limit := cmp.Or(max(a.st.Timeout, 0), a.spec.Timeout, a.x.cfg.Step)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, edr.ErrTimeout)
	defer cancel()
	if !a.spec.Session {
		if err := a.allowed(); err != nil {
			return nil, err
		}
		a.rec.State = job.StepIntent
		if err := a.record(ctx); err != nil {
			return nil, err
		}
	}
	return a.act.Run(edr.WithTrace(ctx, a.trace()), a.task(), a.params)
}

// allowed is the check before each command is sent: the claim is ours, and no stop is in
// force.
func (a *attempt) allowed() error {
	if err := a.owned(); err != nil {
		return err
	}
	if a.x.cfg.Stopped != nil {
		if err := a.x.cfg.Stopped(); err != nil {
			return fmt.Errorf("%w: %w", errStopped, err)
		}
	}
	return nil
}

// owned is the check that the sensor is still ours.
func (a *attempt) owned() error {
	err := a.x.place.Valid()
	if err != nil {
		a.x.place.Lose()
	}
	return err
}

// errStopped: the emergency stop is in force, or its state is unknown.
var errStopped = errors.New("held back")

// trace records each command before and after it leaves. For an action that only
// reads, the first command's intent is enough: it is repeated in any case.
func (a *attempt) trace() *edr.Trace {
	var sent time.Time // commands of a session follow one another
	return &edr.Trace{
		Finished: func(_ context.Context, c edr.Command) { a.commanded(c, sent) },
		Submitting: func(ctx context.Context, name, _, id string, after int64) error {
			session := looseid.ID(id)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			sent = a.x.cfg.Now()
			begun := a.rec.State != job.StepPending && a.rec.Session == session
			check := a.allowed
			if begun && a.spec.Class == actions.Once {
				check = a.owned // left halfway, nobody could tell what it did: a stop lets it end
			}
			if err := check(); err != nil {
				return err
			}
			if begun && a.spec.Class == actions.Repeatable {
				return nil
			}
			if !begun {
				a.rec.Session, a.rec.After = session, after
			}
			a.rec.State, a.rec.Sent, a.rec.Command = job.StepIntent, name, 0
			return a.record(ctx)
		},
		Submitted: func(ctx context.Context, c edr.Command) {
			a.rec.State, a.rec.Command, a.taken = job.StepSubmitted, c.ID, true
			if a.spec.Class != actions.Repeatable {
				// Without this record the successor reads the command list instead.
				_ = a.record(ctx)
			}
		},
	}
}

// commanded reports the end of a command.
func (a *attempt) commanded(c edr.Command, sent time.Time) {
	if a.x.cfg.Commanded == nil {
		return
	}
	first := a.x.commands.Add(1) == 1
	a.x.cfg.Commanded(Commanded{Job: a.x.snapshot(), Step: a.rec, Command: c, Sent: sent, First: first})
}

func (a *attempt) record(ctx context.Context) error {
	return a.x.save(ctx, func(j *job.Job) { j.Put(a.rec) })
}

// task is what the action is given.
func (a *attempt) task() *actions.Task {
	x := a.x
	info, _ := x.place.Info()
	if info.ID == "" {
		info.ID = x.job.Endpoint.ID
	}
	t := &actions.Task{
		Sensor: info, Server: x.cfg.Server, Event: x.job.Event, With: a.st.Template(), Since: a.rec.Started,
		By: x.job.Submitter, Undoes: a.st.Undoes,
		Job: actions.JobRef{ID: x.job.ID, Rule: x.job.Rule, Digest: x.job.Digest, Step: a.st.ID},
		Session: func(ctx context.Context) (edr.Session, error) {
			session, err := x.place.Open(ctx)
			if err != nil {
				a.noOpen = err
			}
			return session, err
		},
		Now:      x.cfg.Now,
		Log:      x.cfg.Log.With().Str("job", x.job.ID).Str("step", a.st.ID).Str("endpoint", x.job.Endpoint.String()).Logger(),
		Progress: func(text string) { x.cfg.Progress(x.id, text) },
	}
	if a.st.UndoAfter > 0 {
		t.Until = x.cfg.Now().Add(a.st.UndoAfter)
	}
	if x.cfg.Prepare != nil {
		x.cfg.Prepare(t)
	}
	return t
}

// judge decides what the end of one call means: the record's state is then an
// end, or intent or submitted when the outcome has to be looked up, or pending
// when the step is to be tried again.
func (a *attempt) judge(ctx context.Context, out any, err error) *Halt {
	a.last = err
	if err == nil {
		a.rec.State, a.rec.Error, a.rec.Reason = job.StepOK, "", ""
		if a.rec.Output, err = encodeOutput(out); err != nil {
			a.rec.State, a.rec.Error = job.StepFailed, err.Error()
		}
		return nil
	}
	a.rec.Error = err.Error()
	sent := a.rec.State != job.StepPending
	var refusal *edr.ResultError
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrFenced), errors.Is(err, ErrFenced):
		return &Halt{Keep: true, Text: "the claim was lost"}
	case errors.Is(cause, ErrCancelRequested):
		return a.cancel(ctx)
	case errors.Is(cause, errTimeout):
		return a.timeout(ctx)
	case cause != nil && sent:
		return &Halt{Keep: true, Text: cause.Error()} // stopping: the next start sees what came of it
	case cause != nil:
		return &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonShutdown}}
	case a.noOpen != nil && !sent:
		a.rec.Attempts--
		return a.noSession()
	case !a.spec.Session && errors.Is(err, edr.ErrOffline):
		// The server has recorded the wish; the sensor follows when it is back. That
		// is waiting, not a failed attempt: next time the action looks first.
		a.rec.Attempts--
		return a.sleeping(ctx)
	case errors.Is(err, errStopped) && !sent:
		return stopped(err)
	case errors.Is(err, edr.ErrTokenRefused), errors.Is(err, edr.ErrThrottled), errors.Is(err, edr.ErrLicence):
		return a.tokenRefused(ctx, err)
	case errors.As(err, &refusal), errors.Is(err, edr.ErrUnsupported), errors.Is(err, edr.ErrUnknownSensor),
		errors.Is(err, edr.ErrUnauthorized), errors.Is(err, edr.ErrDisabled), errors.Is(err, edr.ErrCancelled):
		a.rec.State, a.rec.Reason = job.StepFailed, job.ReasonStep
		return nil
	case retryName(err) == "" && !errors.Is(err, errStopped):
		a.rec.State, a.rec.Reason = job.StepFailed, job.ReasonStep
		return nil
	}
	return a.again(ctx, sent)
}

// sleeping parks the job while its sensor is offline.
func (a *attempt) sleeping(ctx context.Context) *Halt {
	if err := a.record(ctx); err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return a.x.park(job.ReasonOffline, a.rec.Error, time.Minute)
}

// conclude records an end, after making sure that what has to be undone will be.
func (a *attempt) conclude(ctx context.Context) *Halt {
	if a.rec.State == job.StepOK && a.st.UndoAfter > 0 {
		if err := a.x.scheduleUndo(ctx, a.spec, a.st, a.rec); err != nil {
			return &Halt{Keep: true, Text: fmt.Sprintf("scheduling the undo of step %s: %v", a.st.ID, err)}
		}
	}
	return a.x.ended(a.x.finish(ctx, a.st, a.rec))
}
