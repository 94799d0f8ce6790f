package service

import (
	"edrpipe/pkg/events"
	"edrpipe/rules"
)

// finding is a message in which something was found.
type finding struct {
	msg   events.Message
	set   *rules.Set // that was asked
	found rules.Found
}

// find asks the rules in force.
func (in *intake) find(m events.Message) finding {
	in.metrics.Messages.WithLabelValues(m.Transport).Inc()
	matcher := in.rules.current()
	kept, _ := in.messages.Get().(*events.Message)
	if kept == nil {
		kept = new(events.Message)
	}
	*kept = m
	f := finding{msg: m, set: matcher.Set(), found: matcher.Message(kept)}
	*kept = events.Message{}
	in.messages.Put(kept)
	in.metrics.Events.Add(float64(f.found.Stats.Events))
	in.metrics.Decoded.Add(float64(f.found.Stats.Decoded))
	return f
}
