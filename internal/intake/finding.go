package intake

import (
	"edrpipe/pkg/events"
	"edrpipe/rules"
	"fmt"
	"time"
)

// finding is a message in which something was found.
type finding struct {
	msg   events.Message
	set   *rules.Set // that was asked
	found rules.Found
}

// find matches a message with the rules in force.
func (in *Intake) find(m events.Message) finding {
	in.Metrics.Messages.WithLabelValues(m.Transport).Inc()
	matcher := in.Rules.current()
	kept, _ := in.messages.Get().(*events.Message)
	if kept == nil {
		kept = new(events.Message)
	}
	*kept = m
	f := finding{msg: m, set: matcher.Set(), found: matcher.Message(kept)}
	*kept = events.Message{}
	in.messages.Put(kept)
	for _, u := range f.found.Unclear {
		in.Metrics.Decisions.WithLabelValues(u.Rule.ID, unknownFact).Inc()
	}
	in.Metrics.Events.Add(float64(f.found.Stats.Events))
	in.Metrics.Decoded.Add(float64(f.found.Stats.Decoded))
	return f
}

// unknownFact is the reason why nothing came of a rule that hangs on a fact of the
// endpoint that is not known.
const unknownFact = "unknown_fact"

// pending is the reason to match the message again later: a rule hangs on facts that
// the endpoint's server may know and that could not be read yet. After the rule's
// max_age they count as unknown.
func (f *finding) pending(now time.Time) error {
	for _, u := range f.found.Unclear {
		facts := u.Missing & u.Event.Sensor.Pending
		if facts == 0 || u.Rule.MaxAge > 0 && now.Sub(u.Event.Event.Time) > u.Rule.MaxAge {
			continue
		}
		return fmt.Errorf("rule %s, event %s, endpoint %s/%s: fact_pending: %s not read yet: the server has not answered", u.Rule.ID, u.Event.Event.ID, u.Event.Sensor.Server, u.Event.Sensor.ID, facts)
	}
	return nil
}

// settle ends the responsibility for a message.
func settle(m events.Message, err error) {
	if m.Settle != nil {
		m.Settle(err)
	}
}
