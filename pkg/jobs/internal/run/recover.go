package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// settle finds out what became of a step whose request may have left: after a
// crash, a lost session, an answer that never came. The session of the request
// is closed by now, so nothing can still arrive. Then
//
//	repeatable  run it again
//	checkable   look whether its effect is there; if not, run it again
//	once        read the session's command list: there → its outcome counts;
//	            surely not there → run it; cannot be told → unknown
//
// over means that the record has an end now; otherwise the step is pending.
func (a *attempt) settle(ctx context.Context) (over bool, h *Halt) {
	switch a.spec.Class {
	case actions.Repeatable:
		return a.runAgain(), nil
	case actions.Checkable:
		return a.look(ctx)
	}
	return a.readCommands(ctx)
}

// runAgain makes the step pending, unless it has been tried often enough.
func (a *attempt) runAgain() (over bool) {
	if a.last != nil && !a.mayRetry(a.last) {
		a.rec.State, a.rec.Reason = job.StepFailed, retryReason(a.last)
		return true
	}
	a.rec.State, a.rec.Session, a.rec.After, a.rec.Command, a.rec.Sent = job.StepPending, "", 0, 0, ""
	return false
}

// checks is how often a checkable step's effect is looked for before the answer
// is that nobody knows.
const checks = 4

// look checks whether the effect of a checkable action is present.
func (a *attempt) look(ctx context.Context) (over bool, h *Halt) {
	var err error
	for n := range checks {
		a.noOpen = nil
		var done bool
		var out any
		done, out, err = a.act.Check(ctx, a.task(), a.params)
		switch {
		case err == nil && done:
			a.adopt("its effect was found")
			a.rec.Output, err = encodeOutput(out)
			return err == nil, nil
		case err == nil:
			return a.runAgain(), nil
		case ctx.Err() != nil:
			return false, &Halt{Keep: true, Text: context.Cause(ctx).Error()}
		case a.noOpen != nil:
			return false, a.noSession()
		case retryName(err) == "":
			a.unknown(fmt.Sprintf("whether it took effect cannot be looked up: %v", err))
			return true, nil
		}
		if a.x.place.Session() != nil {
			if err := a.x.place.Close(ctx); err != nil {
				return false, &Halt{Keep: true, Text: err.Error()}
			}
		}
		if pace.Sleep(ctx, pace.Backoff(defaultBackoff, n, longestPause)) != nil {
			return false, &Halt{Keep: true, Text: context.Cause(ctx).Error()}
		}
	}
	a.unknown(fmt.Sprintf("whether it took effect cannot be looked up: %v", err))
	return true, nil
}

func (a *attempt) adopt(how string) {
	a.rec.State, a.rec.Reason, a.rec.Error = job.StepOK, job.ReasonAdopted, ""
	a.x.cfg.Log.Info().Str("job", a.x.id).Str("step", a.st.ID).Msg("outcome adopted: " + how)
}

func (a *attempt) unknown(why string) {
	a.rec.State, a.rec.Reason, a.rec.Error = job.StepUnknown, job.ReasonUnknown, why
}

// readOnly reports whether a command does not change the endpoint.
func (a *attempt) readOnly(command string) bool {
	c, ok := a.x.cfg.Server.(edr.CommandClassifier)
	return ok && c.ReadOnly(command)
}

// readCommands judges a step that must not run twice by the command list of the
// session that it ran in.
func (a *attempt) readCommands(ctx context.Context) (over bool, h *Halt) {
	if a.rec.Session == "" {
		a.unknown("the request left, and no answer was recorded")
		return true, nil
	}
	commands, err := a.commandList(ctx)
	switch {
	case ctx.Err() != nil:
		return false, &Halt{Keep: true, Text: context.Cause(ctx).Error()}
	case err != nil:
		a.unknown(fmt.Sprintf("the commands of session %s cannot be read: %v", a.rec.Session, err))
		return true, nil
	}
	if a.rec.Command != 0 && !slices.ContainsFunc(commands, a.sent) {
		a.unknown(fmt.Sprintf("session %s does not list command %d (%s), which the server took: it is not the session that it ran in", a.rec.Session, a.rec.Command, a.rec.Sent))
		return true, nil
	}
	var changing []edr.Command
	for _, c := range commands {
		if c.ID > a.rec.After && !a.readOnly(c.Name) && c.Status != edr.CommandCancelled {
			changing = append(changing, c)
		}
	}
	if len(changing) == 0 {
		return a.runAgain(), nil
	}
	last := changing[len(changing)-1]
	switch {
	case last.Status == edr.CommandError:
		a.rec.State, a.rec.Reason = job.StepFailed, job.ReasonAdopted
		a.rec.Error = fmt.Sprintf("%s: result 0x%08X %s", last.Name, last.ResultCode, last.ResultDesc)
	case last.Status == edr.CommandComplete && len(changing) == 1 && a.isWhole(last.Name):
		a.adopt(fmt.Sprintf("command %d of session %s is complete", last.ID, last.SessionID))
	default:
		a.unknown(fmt.Sprintf("command %d (%s) of session %s was left %s", last.ID, last.Name, a.rec.Session, last.Status))
	}
	return true, nil
}

// sent reports whether a command is the one that the server has acknowledged.
func (a *attempt) sent(c edr.Command) bool { return c.ID == a.rec.Command && c.Name == a.rec.Sent }

// isWhole reports whether a command is all that the action changes.
func (a *attempt) isWhole(name string) bool {
	for _, c := range a.spec.Commands {
		if !a.readOnly(c) && c != name {
			return false
		}
	}
	return true
}

func (a *attempt) commandList(ctx context.Context) (commands []edr.Command, err error) {
	for n := range checks {
		commands, err = a.x.cfg.Server.Commands(ctx, string(a.rec.Session))
		if err == nil || retryName(err) == "" || errors.Is(err, edr.ErrSessionGone) {
			return commands, err
		}
		if pace.Sleep(ctx, pace.Backoff(firstPause, n, longestPause)) != nil {
			break
		}
	}
	return commands, err
}

// retractTimeout bounds asking the server to take a command back.
const retractTimeout = 15 * time.Second

// retract takes the step's command back where the sensor has not begun it, and
// says in words what came of that; taken means that nothing ran.
func (a *attempt) retract(ctx context.Context) (text string, taken bool) {
	session := a.x.place.Session()
	if a.rec.State == job.StepPending || a.rec.Session == "" || session == nil || session.Info().ID != string(a.rec.Session) {
		return "", a.rec.State == job.StepPending
	}
	ctx, cancel := a.x.place.Parting(ctx, retractTimeout)
	defer cancel()
	commands, err := session.Commands(ctx)
	if err != nil {
		return fmt.Sprintf("what came of the running command is not known: %v", err), false
	}
	taken = true
	for _, c := range commands {
		if c.ID <= a.rec.After || a.readOnly(c.Name) && c.Status.Done() {
			continue
		}
		if c.Status == edr.CommandPending && session.Cancel(ctx, c.ID) == nil {
			if now, err := session.Command(ctx, c.ID, false); err == nil {
				c = now
			}
		}
		if c.Status == edr.CommandCancelled {
			text = fmt.Sprintf("command %d (%s) was taken back before the sensor began it", c.ID, c.Name)
			continue
		}
		taken = taken && a.readOnly(c.Name)
		text = fmt.Sprintf("command %d (%s) was %s and is left to finish", c.ID, c.Name, c.Status)
		if c.Status.Done() {
			text = fmt.Sprintf("command %d (%s) had already ended: %s", c.ID, c.Name, c.Status)
		}
	}
	return text, taken
}

// cancel ends the step and the job at a person's request.
func (a *attempt) cancel(ctx context.Context) *Halt {
	text, taken := a.retract(ctx)
	a.rec.State, a.rec.Reason, a.rec.Error = job.StepFailed, job.ReasonCancelled, text
	if !taken && a.spec.Class != actions.Repeatable {
		a.rec.State = job.StepUnknown
	}
	if err := a.x.finish(context.WithoutCancel(ctx), a.st, a.rec); err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return a.x.cancelled(text)
}

// timeout ends the step because the job's time is over.
func (a *attempt) timeout(ctx context.Context) *Halt {
	text, taken := a.retract(ctx)
	m := job.Move{To: job.Failed, Reason: job.ReasonTimeout, Detail: "the job's time is over"}
	a.rec.State, a.rec.Reason, a.rec.Error = job.StepFailed, job.ReasonTimeout, text
	if !taken && a.spec.Class == actions.Once {
		a.rec.State = job.StepUnknown
		m = job.Move{To: job.Unknown, Reason: job.ReasonUnknown, Detail: fmt.Sprintf("step %s: %s", a.st.ID, text)}
	}
	if err := a.x.finish(context.WithoutCancel(ctx), a.st, a.rec); err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return &Halt{Move: m}
}
