package web

import (
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/events"
)

// EventPage is an event with what became of it.
type EventPage struct {
	EventLine
	Event     *events.Event `json:"event"`
	FromJob   bool          `json:"from_job,omitempty" jsonschema:"description=the bus no longer has it; it is from the record of a job"`
	Rules     []EventRule   `json:"for_rules" jsonschema:"description=what each rule for its type makes of it now"`
	Decisions []Decision    `json:"decisions" jsonschema:"description=why a match became no job"`
}

// Decision is why a match became no job.
type Decision struct {
	At     time.Time  `json:"at"`
	Event  string     `json:"event"`
	Rule   string     `json:"rule"`
	Server string     `json:"server,omitempty"`
	Sensor looseid.ID `json:"sensor,omitempty"`
	Host   string     `json:"host,omitempty"`
	Reason string     `json:"reason"`
	Detail string     `json:"detail,omitempty"`
}

// Declined counts the matches of a rule that made no job for the same reason.
type Declined struct {
	Matches int      `json:"matches"`
	Last    Decision `json:"last" jsonschema:"description=the newest of them\\, with their rule and reason"`
}

// What a rule makes of an event.
const (
	RuleMatches = "matches"
	RuleUnclear = "unclear" // a fact that it needs is not known
	RuleFails   = "fails"   // its condition ends in an error
	RuleNot     = "no match"
	RuleOff     = "off"
)

// EventRule is what a rule makes of an event.
type EventRule struct {
	ID      string   `json:"id"`
	Title   string   `json:"title,omitempty"`
	When    string   `json:"when,omitempty"`
	Verdict string   `json:"verdict" jsonschema:"enum=matches,enum=unclear,enum=fails,enum=no match,enum=off"`
	Reasons []string `json:"reasons" jsonschema:"description=clauses that made it so\\, with the values of the event"`
}
