package intake

import (
	"edrpipe/pkg/events"
	"edrpipe/rules"
)

// finding is a message in which something was found.
type finding struct {
	msg   events.Message
	set   *rules.Set // that was evaluated
	found rules.Found
	waits bool // a rule depends on a fact that the server may still provide

	canary bool
	broken error // why a canary did not pass
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
	for i := range f.found.Unclear {
		u := &f.found.Unclear[i]
		if unread(u, in.Now()) != 0 {
			f.waits = true
			continue
		}
		in.Metrics.Decisions.WithLabelValues(u.Rule.ID, unknownFact).Inc()
	}
	in.Metrics.Events.Add(float64(f.found.Stats.Events))
	in.Metrics.Decoded.Add(float64(f.found.Stats.Decoded))
	return f
}

// unknownFact is the reason of a rule that did not match for want of a fact of the
// endpoint.
const unknownFact = "unknown_fact"

// settle ends the responsibility for a message.
func settle(m events.Message, err error) {
	if m.Settle != nil {
		m.Settle(err)
	}
}
