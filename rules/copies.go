package rules

import (
	"slices"

	"edrpipe/pkg/events"
	"edrpipe/rules/index"
)

// Servers send an alert again, whole, whenever it changes: when its severity rises,
// and also when an analyst or we close it. Such a copy is the same alert, for which a
// rule acts once, unless its "on" names alert_updated.

// onUpdates is the word of "on" for alerts that changed.
const onUpdates = "alert_updated"

// readOn takes alert_updated out of "on": to the index it is an alert.
func readOn(on []string) ([]string, Updates) {
	i := slices.Index(on, onUpdates)
	if i < 0 {
		return on, FirstOnly
	}
	updates := UpdatesOnly
	names := func(t events.TypeInfo) bool {
		return t.Kind == events.AlertRaised && slices.ContainsFunc(on, func(o string) bool { return o != onUpdates && index.Names(o, t.Name, t.Kind) })
	}
	if slices.ContainsFunc(events.Types(), names) {
		updates = UpdatesToo
	}
	on = slices.Clone(on)
	on[i] = events.AlertRaised
	return on, updates
}

// sees reports whether a rule looks at this copy of an alert. Which copy of several
// was the first to fulfil the condition is not decided here: see Match.Subject.
func (r *Rule) sees(e *events.Event) bool {
	if e.Event.Kind != events.AlertRaised {
		return true
	}
	switch r.Updates {
	case UpdatesOnly:
		return e.Alert.Updated
	case FirstOnly:
		return !e.Alert.Closed()
	}
	return true
}

// Subject is what the match's job is about; a rule makes one job for it on a sensor.
// Copies of an alert are one subject, unless the rule wants each.
func (m *Match) Subject() string {
	if m.Rule.Updates != FirstOnly {
		return m.Event.Event.ID
	}
	return m.Event.Subject()
}
