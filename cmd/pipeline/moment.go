package main

import (
	"fmt"
	"net/url"
	"time"
)

// moment is the value of a flag that names a point in time: how long ago, or when.
type moment struct {
	at    time.Time
	ofDay bool // it was given as a time of day
	now   func() time.Time
}

// momentForms are the forms of a time, in the zone of this machine where they have none.
var momentForms = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly}

// Set implements pflag.Value.
func (m *moment) Set(s string) error {
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		m.at = m.now().Add(-ago)
		return nil
	}
	for _, form := range append(momentForms, "15:04", "15:04:05") {
		t, err := time.ParseInLocation(form, s, time.Local)
		if err != nil {
			continue
		}
		if t.Year() == 0 { // a time of day: the last one
			now := m.now()
			m.ofDay = true
			t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local)
			if t.After(now) {
				t = t.AddDate(0, 0, -1)
			}
		}
		m.at = t
		return nil
	}
	return fmt.Errorf("%q is neither a duration such as 90m nor a time such as 03:10 or 2026-01-31 03:10", s)
}

// String implements pflag.Value.
func (m *moment) String() string {
	if m.at.IsZero() {
		return ""
	}
	// Cut to seconds, "until now" would leave out what was made in this one.
	return m.at.Format(time.RFC3339Nano)
}

// Type implements pflag.Value.
func (*moment) Type() string { return "time" }

// setMoments has a query ask for the time between two moments; one that was not given
// is left out. An end by the time of day is the first one after the beginning.
func setMoments(q url.Values, since, until moment) {
	if until.ofDay && until.at.Before(since.at) {
		until.at = until.at.AddDate(0, 0, 1)
	}
	for name, m := range map[string]moment{"since": since, "until": until} {
		if !m.at.IsZero() {
			q.Set(name, m.String())
		}
	}
}
