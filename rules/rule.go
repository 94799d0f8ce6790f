package rules

import (
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/shares"
)

// A Rule says: on these events, when this is true, do these steps on the sensor
// concerned. It is immutable once loaded.
type Rule struct {
	ID             string
	Title          string
	Description    string
	Author         string
	References     []string
	FalsePositives []string
	Severity       string // info, low, medium, high, critical
	Priority       string // of its jobs; follows Severity where not set
	Tags           []string
	Mode           Mode
	Enabled        bool
	On             []string // event types, kinds or patterns; alert_updated is among them as alert
	Updates        Updates  // what it makes of copies of alerts that changed
	When           string   // condition as written; "" where On is exact
	Vars           []Var
	MaxAge         time.Duration // 0: events of any age act, if their time is known; AnyAge
	Suppress       *Suppress     // nil: the default key for DefaultSuppression
	Correlate      *Correlate
	Limits         *Limits
	Concurrency    *Concurrency
	Sensors        *Sensors // nil: events that name several do not act
	OfflineWait    time.Duration
	Timeout        time.Duration
	Steps          []actions.Step
	OnFailure      []actions.Step

	File   string // where it was read
	Line   int
	Digest string // SHA-256 of its canonical form
}

// Updates says what a rule makes of the copies of an alert that servers send when it
// changes, also because it was closed.
type Updates string

// What rules make of copies.
const (
	FirstOnly   Updates = ""     // at most one job for an alert, none for one that is closed
	UpdatesOnly Updates = "only" // each copy that changed: on names alert_updated and no alerts
	UpdatesToo  Updates = "too"  // the alert and each copy: on names both
)

// Mode reports whether a rule acts.
type Mode string

// Modes of a rule.
const (
	Shadow  Mode = "shadow" // decide and record, do not act
	Enforce Mode = "enforce"
)

// Var is a named expression, evaluated once per match, in the order written.
type Var struct{ Name, Expr string }

// Suppress stops a rule from acting again for one key.
type Suppress struct {
	Key   []string      // expressions; empty: the default key
	For   time.Duration // 0: nothing is suppressed
	Count int           // actions allowed per For; 0 means 1
}

// Correlate makes a rule fire on several events together.
type Correlate struct {
	Type     string // event_count, value_count, temporal, temporal_ordered
	GroupBy  []string
	Field    string
	Timespan time.Duration
	GTE      int
	Rules    []string
	Across   string // tenants: their events count together
}

// Limits bounds the jobs of a rule over all sensors.
type Limits struct {
	Jobs     int
	Per      time.Duration
	OnExceed string // hold, drop, shadow, require_approval
}

// Concurrency says what happens when a job of the same key is under way.
type Concurrency struct{ Key, Policy string }

// Sensors says what to do with events that name several.
type Sensors struct {
	Each bool
	Max  int
}

// A Match is a rule that wants to act on an event.
type Match struct {
	Rule       *Rule
	Event      *events.Event
	Endpoints  []edr.Endpoint // what to act on; empty: nothing could be found, see Refused
	Refused    string         // why there is nothing to act on; empty when there is
	Vars       map[string]any // evaluated
	Correlated map[string]any // of a correlation: count, values, sensors, first, last (see CorrelatedType)
	Doubt      string         // of a correlation: why it is not known whether it is complete; a person decides
	Full       *shares.Full   // why the event counts together with others; or not at all; set where Refused is CorrelationFull or CorrelationLost

	window shares.Record // of a correlation: what fired
}
