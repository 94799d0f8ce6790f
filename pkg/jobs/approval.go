package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"edrpipe/pkg/actions"
)

// approval returns the question about the step that asks for the same people, or
// nil. What some people allowed answers no question to others: a guard and a rule
// may both ask, and a guard may do so only after a reload.
func (x *execution) approval(st *actions.Step, item int, ask *actions.Approval) *Approval {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.job.Approvals {
		a := x.job.Approvals[i]
		if a.Step == st.ID && a.Item == item && a.Require == max(ask.Require, 1) && slices.Equal(a.From, ask.From) {
			return &a
		}
	}
	return nil
}

// askPeople holds the job until people answer.
func (x *execution) askPeople(ctx context.Context, st *actions.Step, item int, ask *actions.Approval) *halt {
	a := Approval{Step: st.ID, Item: item, From: ask.From, Require: max(ask.Require, 1), Otherwise: ask.Otherwise}
	if ask.Within > 0 {
		a.Until = x.s.cfg.Now().Add(ask.Within)
	}
	if err := x.save(ctx, func(j *Job) { j.Approvals = append(slices.Clone(j.Approvals), a) }); err != nil {
		return &halt{keep: true, text: err.Error()}
	}
	return &halt{move: move{to: Held, reason: ReasonApproval, detail: a.question()}}
}

func (a *Approval) question() string {
	text := "step " + a.Step
	if a.Step == "" {
		text = "the job"
	}
	text += fmt.Sprintf(" needs the word of %d", max(a.Require, 1))
	if len(a.From) > 0 {
		text += " of " + strings.Join(a.From, ", ")
	}
	if !a.Until.IsZero() {
		text += " until " + a.Until.UTC().Format(time.RFC3339)
	}
	return text
}

func (a *Approval) refusal() string {
	for _, ans := range a.Answers {
		if !ans.Allow {
			return strings.TrimSuffix(fmt.Sprintf("%s said no: %s", ans.By, ans.Why), ": ")
		}
	}
	return "denied"
}

// take adds an answer. One no is enough to deny; each person counts once.
func (a *Approval) take(ans Answer) error {
	if a.Closed {
		return refuse("the approval of step %q is decided already", a.Step)
	}
	if len(a.From) > 0 && !slices.Contains(a.From, ans.By) && !slices.ContainsFunc(ans.Groups, func(g string) bool {
		return slices.Contains(a.From, g)
	}) {
		return refuse("%s may not answer: it takes one of %s", ans.By, strings.Join(a.From, ", "))
	}
	if slices.ContainsFunc(a.Answers, func(b Answer) bool { return b.By == ans.By }) {
		return refuse("%s has answered already", ans.By)
	}
	a.Answers = append(slices.Clone(a.Answers), ans)
	if !ans.Allow {
		a.Closed = true
	} else if len(a.Answers) >= max(a.Require, 1) {
		a.Closed, a.Granted = true, true
	}
	return nil
}

// decide is where a held job goes: on when all that it waits for is decided or
// its time is over, nowhere before that. A denied step ends in the chain, so that
// steps that always run still do.
func (j *Job) decide(now time.Time) (*move, func(*Job)) {
	if len(j.Approvals) == 0 {
		return nil, nil // a guard holds it as a whole: nobody was asked by name
	}
	approvals := slices.Clone(j.Approvals)
	for i := range approvals {
		a := &approvals[i]
		switch {
		case a.Closed:
		case a.Until.IsZero() || a.Until.After(now):
			return nil, nil
		default:
			a.Closed, a.Granted, a.Answers = true, a.Otherwise == "allow", nil
		}
		if a.Step == "" && !a.Granted {
			reason := ReasonDenied
			if len(a.Answers) == 0 {
				reason = ReasonUnanswered
			}
			return &move{to: Denied, reason: reason, detail: a.refusal()}, func(j *Job) { j.Approvals = approvals }
		}
	}
	return &move{to: Queued}, func(j *Job) { j.Approvals = approvals }
}

// decided tells whether nothing holds the job any more.
func (j *Job) decided(now time.Time) bool {
	m, _ := j.decide(now)
	return m != nil
}

// Approve gives a person's answer to what a held job asks. Answering no denies
// the step, or the whole job where that is held.
func (s *Scheduler) Approve(ctx context.Context, id string, ans Answer) (*Job, error) {
	if ans.By == "" {
		return nil, fmt.Errorf("approve job %s: an answer needs a name", id)
	}
	ans.At = s.cfg.Now()
	return s.amend(ctx, id, func(j *Job) (bool, error) {
		if j.State != Held {
			return false, refuse("job %s is %s: it waits for nobody's approval", id, j.State)
		}
		approvals := slices.Clone(j.Approvals)
		for i := range approvals {
			if a := &approvals[i]; !a.Closed && (ans.Step == "" || ans.Step == a.Step) {
				j.Approvals = approvals
				return true, a.take(ans)
			}
		}
		if len(approvals) == 0 && ans.Step == "" { // held as a whole, by a guard
			a := Approval{Require: 1}
			j.Approvals = []Approval{a}
			return true, j.Approvals[0].take(ans)
		}
		return false, fmt.Errorf("job %s does not wait for an approval of step %q", id, ans.Step)
	})
}
