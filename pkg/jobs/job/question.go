package job

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/events"
)

// Question is a question to people that holds a job, and their answers.
type Question struct {
	Step      string             `json:"step"`             // "" when the whole job is held
	About     string             `json:"about,omitempty"`  // what is asked, where it is not the step itself: see AboutHost
	Item      int                `json:"item,omitempty"`   // of a foreach
	Args      map[string]any     `json:"args,omitempty"`   // of the step, as they will be sent
	Digest    string             `json:"digest,omitempty"` // of the call that is asked for: see CallDigest; what is granted is this call and no other
	From      []string           `json:"from,omitempty"`   // people or groups that may answer; empty: anybody who may approve
	Require   int                `json:"require"`          // different people that must agree
	Until     time.Time          `json:"until,omitzero"`   // after that Otherwise applies
	Otherwise string             `json:"otherwise,omitempty"`
	Answers   []admission.Answer `json:"answers,omitempty"`
	Granted   bool               `json:"granted,omitempty"`
	Closed    bool               `json:"closed,omitempty"`  // decided
	Missing   events.Facts       `json:"missing,omitempty"` // facts of the endpoint that are not known: where they become known, nobody need answer
}

// Text is the question in words.
func (a *Question) Text() string {
	text := "step " + a.Step
	switch {
	case a.About != "":
		text = a.About + ": to go on"
	case a.Step == "":
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

// Refusal is who said no, and why.
func (a *Question) Refusal() string {
	for _, ans := range a.Answers {
		if !ans.Allow {
			return strings.TrimSuffix(fmt.Sprintf("%s said no: %s", ans.By, ans.Why), ": ")
		}
	}
	return "denied"
}

// Take adds an answer. One no is enough to deny; each person counts once. An answer that
// names another call than the question asks for is refused.
func (a *Question) Take(ans admission.Answer) error {
	if a.Closed {
		return Refuse("the approval of step %q is decided already", a.Step)
	}
	if ans.Digest != "" && a.Digest != "" && ans.Digest != a.Digest {
		return Refuse("the call is %.12s now, and the answer is to %.12s: look at it again", a.Digest, ans.Digest)
	}
	if len(a.From) > 0 && !slices.Contains(a.From, ans.By) && !slices.ContainsFunc(ans.Groups, func(g string) bool {
		return slices.Contains(a.From, g)
	}) {
		return Refuse("%s may not answer: it takes one of %s", ans.By, strings.Join(a.From, ", "))
	}
	if slices.ContainsFunc(a.Answers, func(b admission.Answer) bool { return b.By == ans.By }) {
		return Refuse("%s has answered already", ans.By)
	}
	a.Answers = append(slices.Clone(a.Answers), ans)
	if !ans.Allow {
		a.Closed = true
	} else if len(a.Answers) >= max(a.Require, 1) {
		a.Closed, a.Granted = true, true
	}
	return nil
}

// Decide is where a held job goes: on when all that it waits for is decided or
// its time is over, nowhere before that. A denied step ends in the chain, so that
// steps that always run still do.
func (j *Job) Decide(now time.Time) (*Move, func(*Job)) {
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
			return &Move{To: Denied, Reason: reason, Detail: a.Refusal()}, func(j *Job) { j.Approvals = approvals }
		}
	}
	return &Move{To: Queued}, func(j *Job) { j.Approvals = approvals }
}

// Decided reports whether nothing holds the job any more.
func (j *Job) Decided(now time.Time) bool {
	m, _ := j.Decide(now)
	return m != nil
}

// Missing are the facts that all open questions wait for as well; none where one of
// them is about something else.
func (j *Job) Missing() events.Facts {
	var all events.Facts
	for _, q := range j.Approvals {
		if q.Closed {
			continue
		}
		if q.Missing == 0 {
			return 0
		}
		all |= q.Missing
	}
	return all
}

// Unask takes back the open questions that facts have answered.
func (j *Job) Unask() {
	j.Approvals = slices.DeleteFunc(slices.Clone(j.Approvals), func(q Question) bool { return !q.Closed && q.Missing != 0 })
}
