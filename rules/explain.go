package rules

import (
	"fmt"
	"strings"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// Explanation is why a rule does or does not act on an event.
type Explanation struct {
	Rule      *Rule
	Event     *events.Event
	Named     bool                // the rule's "on" names the event
	Condition *expression.Outcome // nil: not asked, or the rule has none
	Holds     bool
	Err       error // the condition could not be taken apart
	Decisions []Decision
}

// Explain takes the rule's condition apart on an event. It does not look at
// what came before: Decisions are for the caller to fill in.
func (r *Compiled) Explain(e *events.Event) *Explanation {
	x := &Explanation{Rule: r.Rule, Event: e, Named: r.Names(e)}
	if !x.Named {
		return x
	}
	if r.When == nil {
		x.Holds = true
		return x
	}
	if r.When.Reads("raw") {
		e.LoadRaw()
	}
	clauses, err := r.clauses()
	if err != nil {
		x.Err = err
		return x
	}
	outcome := clauses.EvalKnowing(e, e.Unknown())
	x.Condition, x.Holds, x.Err = &outcome, outcome.Value, outcome.Err
	return x
}

// clauses takes the condition apart; nil when there is none.
func (r *Compiled) clauses() (*expression.Clause, error) {
	if r.When == nil {
		return nil, nil
	}
	return r.When.Clauses()
}

// Reasons says in words why the rule acts or does not, each a line without its
// end.
func (x *Explanation) Reasons() []string {
	switch {
	case !x.Rule.Enabled:
		return []string{"the rule is not enabled"}
	case !x.Named:
		return []string{fmt.Sprintf("on names %s, the event is %s (%s)", strings.Join(x.Rule.On, ", "), x.Event.Event.Type, x.Event.Event.Kind)}
	case x.Err != nil && x.Condition == nil:
		return []string{x.Err.Error()}
	case x.Condition != nil && x.Condition.Missing != 0:
		return append([]string{notKnown(x.Condition.Missing)}, blame(*x.Condition)...)
	case !x.Holds && x.Condition != nil:
		return blame(*x.Condition)
	}
	var reasons []string
	for _, d := range x.Decisions {
		reasons = append(reasons, d.reason())
	}
	if len(reasons) == 0 && x.Rule.Correlate != nil {
		reasons = append(reasons, "the condition is true; the correlation is not complete")
	}
	if len(reasons) == 0 {
		reasons = append(reasons, "the condition is true")
	}
	return reasons
}

// blame says which comparisons made a condition what it is, with the values
// that they saw.
func blame(o expression.Outcome) []string {
	var lines []string
	for _, b := range o.Blame() {
		line := fmt.Sprintf("%s is %v", b.Clause.Text, b.Value)
		if b.Missing != 0 {
			line = fmt.Sprintf("%s: %s", b.Clause.Text, notKnown(b.Missing))
		}
		if b.Err != nil {
			line = fmt.Sprintf("%s fails: %v", b.Clause.Text, b.Err)
		}
		if fields := fieldValues(b.Fields); fields != "" {
			line += ": " + fields
		}
		lines = append(lines, line)
	}
	return lines
}

func fieldValues(fields []expression.FieldValue) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = fmt.Sprintf("%s is %s", f.Name, show(f.Value))
	}
	return strings.Join(parts, ", ")
}

// refusals are the reasons of Match.Refused in words.
var refusals = map[string]string{
	NoSensor:        "the event names no sensor",
	SeveralSensors:  "the event names several sensors, and the rule does not say sensors: { each: true }",
	TooManySensors:  "the event names more sensors than sensors.max allows",
	TooOld:          "the event is older than max_age allows",
	StateForeign:    "the record of what the rule has seen so far does not verify: see pipeline state quarantine list",
	CorrelationLost: "there is no room for any record of a correlation: the event is not counted",
	CorrelationFull: "events of the endpoint have made as many groups as limits.share and its like allow: this one counts together with others",
	TimeUnknown:     "the time of the event is not known: it may be older than max_age allows; max_age: any lets such events act",
}

// RefusedText says why there is nothing to act on; empty when there is.
func (m *Match) RefusedText() string {
	words, ok := refusals[m.Refused]
	if !ok {
		return m.Refused
	}
	if at, by := m.Event.Event.Time, m.Event.Event.Received; m.Refused == TooOld && !at.IsZero() && !by.IsZero() {
		words += fmt.Sprintf(": it is of %s, %v before it arrived, and max_age is %v; are the clocks of its sender and of this machine right?", at.UTC().Format("2006-01-02 15:04:05"), by.Sub(at).Round(time.Second), m.Rule.MaxAge)
	}
	return words
}

// reason is a decision in words.
func (d Decision) reason() string {
	switch d.Verdict {
	case Refused:
		return d.Match.RefusedText()
	case Suppressed:
		return fmt.Sprintf("suppressed until %s: the rule has acted for this", d.Until.UTC().Format("2006-01-02 15:04:05"))
	case Repeated:
		return "another copy of an alert for which the rule has acted; on: alert_updated acts on copies"
	case Failed:
		return d.Err.Error()
	}
	return fmt.Sprintf("acts on sensor %s", d.Endpoint.ID)
}
