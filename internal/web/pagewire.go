package web

import (
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/events"
)

// EndpointPage is all that is known of an endpoint and what was done there.
type EndpointPage struct {
	directory.Explained
	Sensor    *SensorLine        `json:"sensor,omitempty" jsonschema:"description=as its server answers now; absent where it does not"`
	Problem   string             `json:"problem,omitempty" jsonschema:"description=why the server says nothing of it now"`
	Isolation []actions.Reason   `json:"isolation_wanted" jsonschema:"description=who has it isolated"`
	Foreign   bool               `json:"isolation_found,omitempty" jsonschema:"description=it was isolated before by somebody else: it stays so"`
	Jobs      []JobLine          `json:"jobs" jsonschema:"description=live ones\\, and those that ended within a day"`
	Sessions  []SlotClaim        `json:"sessions"`
	Artifacts []actions.Artifact `json:"artifacts"`
	Silences  []Silence          `json:"silences" jsonschema:"description=that keep something from acting on it"`
}

// RulePage is a rule in force with what it did.
type RulePage struct {
	RuleLine
	Description    string     `json:"description,omitempty"`
	Author         string     `json:"author,omitempty"`
	References     []string   `json:"references,omitempty"`
	FalsePositives []string   `json:"false_positives,omitempty"`
	Text           string     `json:"text,omitempty" jsonschema:"description=its part of its file"`
	TextProblem    string     `json:"text_problem,omitempty" jsonschema:"description=why the text may not be what is in force"`
	Warnings       []string   `json:"warnings" jsonschema:"description=what is in force and worth knowing\\, such as clauses that can never hold"`
	Suppression    string     `json:"suppression" jsonschema:"description=how often it acts for one thing"`
	Tests          []RuleTest `json:"tests"`
	Silences       []Silence  `json:"silences"`
	Since          time.Time  `json:"since" jsonschema:"description=the counts and jobs are of matches since then"`
	Step           int        `json:"step_seconds"`
	Acted          []float64  `json:"acted" jsonschema:"description=jobs made in each step\\, the newest last"`
	Left           []float64  `json:"left" jsonschema:"description=matches in each step that became no job"`
	Decisions      []Decision `json:"decisions" jsonschema:"description=the last of these with their reason\\, newest first"`
	Jobs           []JobLine  `json:"jobs" jsonschema:"description=newest first"`
}

// RuleTest is a test of a rule.
type RuleTest struct {
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// Approval is a question to people with what is to be known for an answer.
type Approval struct {
	Job            JobLine           `json:"job"`
	Event          *events.Event     `json:"event,omitempty"`
	Facts          []directory.Fact  `json:"facts"`
	Unknown        []string          `json:"unknown,omitempty" jsonschema:"description=facts of the endpoint that nobody tells"`
	Before         []JobLine         `json:"before" jsonschema:"description=the last jobs on this endpoint\\, newest first"`
	When           string            `json:"when,omitempty" jsonschema:"description=condition of the rule"`
	Title          string            `json:"title,omitempty"`
	FalsePositives []string          `json:"false_positives,omitempty"`
	Replies        map[string][]Word `json:"replies,omitempty" jsonschema:"description=answers so far by step"`
	Steps          []string          `json:"steps" jsonschema:"description=actions of the job in their order"`
}

// Word is one answer of a person.
type Word struct {
	By    string    `json:"by"`
	Allow bool      `json:"allow"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
}

// JobTest is a job as a test of its rule.
type JobTest struct {
	Name string `json:"name" jsonschema:"description=of a file beside the rule"`
	Text string `json:"text"`
}

// Finding is what one check of the configuration against the real world found.
type Finding struct {
	Check string       `json:"check"`
	State health.State `json:"state"`
	Text  string       `json:"text"`
	Cure  string       `json:"cure,omitempty"`
}
