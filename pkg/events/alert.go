package events

import (
	"encoding/json"
	"strings"
	"time"
)

// MarshalJSON omits the fields that an alert's source does not have. Only Carbon Black
// Cloud reports whether an alert is a copy and whether a policy stopped it; there
// false is a value and is kept.
func (a Alert) MarshalJSON() ([]byte, error) {
	type plain Alert
	out := struct {
		plain
		Updated       *bool `json:"updated,omitempty"`
		PolicyApplied *bool `json:"policy_applied,omitempty"`
	}{plain: plain(a)}
	if a.Updated || !a.UpdateTime.IsZero() {
		out.Updated = &a.Updated
	}
	if a.RunState != "" || a.Action != "" || a.PolicyApplied {
		out.PolicyApplied = &a.PolicyApplied
	}
	return json.Marshal(out)
}

// closedStatuses are how servers write that an alert is dealt with.
var closedStatuses = []string{"CLOSED", "RESOLVED", "DISMISSED", "FALSE POSITIVE", "FALSE_POSITIVE"}

// Closed reports whether the alert was closed when this copy of it was sent.
func (a Alert) Closed() bool {
	for _, s := range closedStatuses {
		if strings.EqualFold(a.Status, s) {
			return true
		}
	}
	return false
}

// Subject identifies what an event is about, for the promise of one response: copies
// of an alert are about one alert, every other event is about itself.
func (e *Event) Subject() string {
	if e.Alert.Key == "" || e.Event.Kind != AlertRaised {
		return e.Event.ID
	}
	return "alert " + e.Alert.Key
}

// Changed is when this copy of an alert came to be, or the event's time.
func (e *Event) Changed() time.Time {
	if !e.Alert.UpdateTime.IsZero() {
		return e.Alert.UpdateTime
	}
	return e.Event.Time
}
