package web

import (
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// Overview is the first page.
type Overview struct {
	Now        time.Time              `json:"now"`
	Version    string                 `json:"version"`
	Server     string                 `json:"server" jsonschema:"description=names of the EDR servers"`
	DryRun     bool                   `json:"dry_run"`
	Stopped    *Stopped               `json:"stopped,omitempty"`
	Stops      []Stopped              `json:"stops,omitempty" jsonschema:"description=stops of single servers and tenants"`
	DryRuns    []Stopped              `json:"dry_runs,omitempty" jsonschema:"description=dry runs of single servers and tenants"`
	Needs      []Need                 `json:"needs" jsonschema:"description=what a person has to look at\\, the most urgent first"`
	Checks     []health.Check         `json:"checks"`
	Jobs       map[jobs.State]int     `json:"jobs" jsonschema:"description=live jobs by state"`
	Ended      map[jobs.State]float64 `json:"ended" jsonschema:"description=jobs that ended since the start by state"`
	Approvals  int                    `json:"approvals"`
	Slots      Slots                  `json:"slots"`
	Rules      int                    `json:"rules"`
	TopRules   []RuleCount            `json:"top_rules" jsonschema:"description=rules with the most matches since the start"`
	RulesError string                 `json:"rules_error,omitempty" jsonschema:"description=why the newest rule files are not in force"`
	EventRate  float64                `json:"event_rate" jsonschema:"description=events per second over the last ten seconds"`
	History    History                `json:"history"`
}

// Readiness is the answer of the readiness call.
type Readiness struct {
	Ready  bool           `json:"ready"`
	User   string         `json:"user,omitempty" jsonschema:"description=whose token the request had; absent: nobody's\\, and the checks have no reasons"`
	Checks []health.Check `json:"checks"`
}

// Need is one thing that a person has to look at.
type Need struct {
	Kind string `json:"kind" jsonschema:"enum=stop,enum=check,enum=degraded,enum=approval,enum=rules,enum=unknown,enum=failed,enum=breaker"`
	Of   string `json:"of,omitempty" jsonschema:"description=what makes it differ from others of its kind whatever its numbers\\, such as a rule"`
	Text string `json:"text"`
	Link string `json:"link" jsonschema:"description=the page of the dashboard to go to"`
}

// RuleCount is how often a rule has matched.
type RuleCount struct {
	Rule    string  `json:"rule"`
	Matches float64 `json:"matches"`
}

// Stopped is the emergency stop, or a dry run: of a server, a tenant, or of everything
// where neither is named; by whom and why.
type Stopped struct {
	Server string `json:"server,omitempty"`
	Tenant string `json:"tenant,omitempty"`

	By  string    `json:"by"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}

// Slots are the Live Response sessions of the EDR server.
type Slots struct {
	Limit   int         `json:"limit"`
	Foreign int         `json:"foreign" jsonschema:"description=held by other clients"`
	Claims  []SlotClaim `json:"claims"`
}

// SlotClaim is a session that we hold.
type SlotClaim struct {
	Server  string     `json:"server"`
	Sensor  looseid.ID `json:"sensor"`
	Host    string     `json:"host,omitempty"`
	Session looseid.ID `json:"session,omitempty"`
	Job     string     `json:"job,omitempty"`
	Owner   string     `json:"owner"`
}

// History is the last hours, one value a step, the newest last.
type History struct {
	Step    int       `json:"step_seconds"`
	End     time.Time `json:"end"`
	Known   int       `json:"known" jsonschema:"description=the newest steps that are since the start; others are not known"`
	Events  []float64 `json:"events"`
	Matches []float64 `json:"matches"`
	Jobs    []float64 `json:"jobs"`
	Failed  []float64 `json:"failed"`
}

// JobQuery selects jobs.
type JobQuery struct {
	State  string // a state, live, ended; empty: all
	Rule   string
	Sensor looseid.ID
	Host   string    // part of a host name
	Server string    // EDR server by its name
	Tenant string    // tenant of the EDR server
	Action string    // one of its steps uses it
	Text   string    // words that all occur in what a list shows
	Since  time.Time // jobs that ended before it are left out; zero: a day before Until
	Until  time.Time // jobs made after it are left out; zero: now
	Sort   string    // created, updated, state, rule, host; with - the other direction
	Limit  int       // 0: MaxList
	Offset int
}

// JobsPage is a part of the jobs that a query selects.
type JobsPage struct {
	Total int       `json:"total" jsonschema:"description=jobs that were selected"`
	More  bool      `json:"more,omitempty" jsonschema:"description=there are more than total says"`
	Since time.Time `json:"since,omitzero" jsonschema:"description=how far back ended jobs were looked for"`
	Jobs  []JobLine `json:"jobs"`

	Servers []string `json:"servers,omitempty" jsonschema:"description=EDR servers that can be asked for"`
	Tenants []string `json:"tenants,omitempty" jsonschema:"description=tenants that can be asked for"`
}

// JobLine is a job in a list.
type JobLine struct {
	ID       string        `json:"id"`
	Rule     string        `json:"rule,omitempty"`
	By       string        `json:"submitter"`
	Server   string        `json:"server"`
	Sensor   looseid.ID    `json:"sensor"`
	Host     string        `json:"host,omitempty"`
	Priority jobs.Priority `json:"priority"`
	Mode     string        `json:"mode,omitempty"`
	State    jobs.State    `json:"state"`
	Reason   jobs.Reason   `json:"reason,omitempty"`
	Detail   string        `json:"detail,omitempty"`
	Steps    int           `json:"steps"`
	Done     int           `json:"done"`
	Created  time.Time     `json:"created"`
	Updated  time.Time     `json:"updated"`
	Ended    time.Time     `json:"ended,omitzero"`
	WakeAt   time.Time     `json:"wake_at,omitzero"`
	Asks     []Asked       `json:"asks,omitempty" jsonschema:"description=open questions to people"`
	Story    string        `json:"story" jsonschema:"description=one sentence: what happened\\, or who asked"`
	Of       string        `json:"of,omitempty" jsonschema:"description=the job that this one undoes or repeats"`
	Undo     bool          `json:"undo,omitempty"`
}

// Asked is a question that holds a job.
type Asked struct {
	About     string         `json:"about,omitempty" jsonschema:"description=what is asked\\, where it is not the step itself"`
	Step      string         `json:"step,omitempty"`
	Item      int            `json:"item,omitempty"`
	Uses      string         `json:"uses,omitempty"`
	With      map[string]any `json:"with,omitempty" jsonschema:"description=arguments of the step"`
	Evaluated bool           `json:"evaluated,omitempty" jsonschema:"description=the arguments are as they will be sent\\, and not as written"`
	Digest    string         `json:"digest,omitempty" jsonschema:"description=of the call that is asked for; give it with the answer"`
	Unknown   []string       `json:"unknown,omitempty" jsonschema:"description=arguments that are not known yet: the digest is of their expressions"`
	From      []string       `json:"from,omitempty"`
	Need      int            `json:"need"`
	Given     int            `json:"given"`
	Until     time.Time      `json:"until,omitzero"`
	Else      string         `json:"otherwise,omitempty"`
}

// JobPage is a job with its whole record.
type JobPage struct {
	JobLine
	Why       string             `json:"why" jsonschema:"description=what it waits for and its place"`
	Job       *jobs.Job          `json:"job"`
	Artifacts []actions.Artifact `json:"artifacts"`
}

// Me is the caller.
type Me struct {
	Name   string   `json:"name"`
	Role   Role     `json:"role"`
	Groups []string `json:"groups,omitempty"`
}

// Resolution is a person's decision about a step whose outcome is unknown.
type Resolution struct {
	Outcome string `json:"outcome" jsonschema:"enum=happened,enum=never,enum=settled"`
	Why     string `json:"why"`
}

// Answer is an answer to an approval.
type Answer struct {
	Step   string `json:"step,omitempty"`
	Allow  bool   `json:"allow"`
	Why    string `json:"why,omitempty"`
	Digest string `json:"digest,omitempty" jsonschema:"description=of the call that the person saw; an answer to another call is refused"`
}

// RulesPage is the rules in force, and what is wrong with newer files.
type RulesPage struct {
	Loaded time.Time  `json:"loaded"`
	Digest string     `json:"digest"`
	Error  string     `json:"error,omitempty"`
	Rules  []RuleLine `json:"rules"`
}

// RuleLine is a rule in a list.
type RuleLine struct {
	ID        string    `json:"id"`
	Title     string    `json:"title,omitempty"`
	Severity  string    `json:"severity"`
	Mode      string    `json:"mode"`
	Enabled   bool      `json:"enabled"`
	On        []string  `json:"on"`
	When      string    `json:"when,omitempty"`
	Tags      []string  `json:"tags,omitempty"`
	File      string    `json:"file"`
	Line      int       `json:"line"`
	Steps     []string  `json:"steps"`
	Matches   float64   `json:"matches" jsonschema:"description=since the start"`
	Errors    float64   `json:"errors"`
	LastMatch time.Time `json:"last_match,omitzero"`
	Breaker   string    `json:"breaker,omitempty" jsonschema:"description=why the rule is held in shadow"`
	Everybody string    `json:"always_candidate,omitempty" jsonschema:"description=why every event has to be tried"`
}

// MaxList bounds every list of the API.
const MaxList = 1000

// MaxOffset bounds how far into the list of jobs a page may begin: the service holds an
// entry for each job before it.
const MaxOffset = 20_000

// SensorQuery selects sensors.
type SensorQuery struct {
	Text   string // part of host name, id or system
	Busy   bool   // only those with jobs
	Limit  int    // 0: 200
	Offset int
}

// SensorsPage is a part of the sensors: those with jobs first, then by name.
type SensorsPage struct {
	Total   int          `json:"total" jsonschema:"description=sensors that were selected"`
	Online  int          `json:"online" jsonschema:"description=of these"`
	Sensors []SensorLine `json:"sensors"`

	Problems []string `json:"problems,omitempty" jsonschema:"description=servers that do not answer: their sensors are missing"`
}

// ArtifactQuery selects collected files.
type ArtifactQuery struct {
	Job   string
	Limit int // 0: 200
}

// AuditReport is the outcome of a verification of the audit log.
type AuditReport struct {
	Good    bool   `json:"good"`
	Entries uint64 `json:"entries"`
	Head    string `json:"head,omitempty" jsonschema:"description=hash of the last entry"`
	Damage  string `json:"damage,omitempty" jsonschema:"description=where and how the log was changed"`
	Foreign int    `json:"foreign,omitempty" jsonschema:"description=blocks in the log's stream that somebody else wrote"`
}

// SensorLine is a sensor and what we have to do with it.
type SensorLine struct {
	Server string `json:"server"`
	edr.Sensor
	Queue   int    `json:"queue"`
	Running string `json:"running,omitempty"`
}

// GuardsPage is what holds actions back.
type GuardsPage struct {
	Stopped  *Stopped  `json:"stopped,omitempty"`
	DryRun   bool      `json:"dry_run"`
	Stops    []Stopped `json:"stops,omitempty" jsonschema:"description=stops of single servers and tenants"`
	DryRuns  []Stopped `json:"dry_runs,omitempty" jsonschema:"description=dry runs of single servers and tenants"`
	File     string    `json:"file,omitempty"`
	Guards   []string  `json:"guards" jsonschema:"description=each guard in words"`
	Budgets  []Budget  `json:"budgets"`
	Silences []Silence `json:"silences"`
}

// Budget is how much of an action is left.
type Budget struct {
	Name   string    `json:"name"`
	Used   int       `json:"used"`
	Limit  int       `json:"limit"`
	Resets time.Time `json:"resets,omitzero"`
}

// Switching is what a stop, its end or a dry run holds for: one server, the servers of
// one tenant, or everything where neither is named.
type Switching struct {
	Server string `json:"server,omitempty"`
	Tenant string `json:"tenant,omitempty"`
	Why    string `json:"why,omitempty"`
}

// DryRun switches acting off or on.
type DryRun struct {
	On bool `json:"on"`
	Switching
}

// Quarantined names a record in quarantine.
type Quarantined struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	AsIs   bool   `json:"as_is,omitempty"` // keep the record that is there
	Why    string `json:"why,omitempty"`
}

// Silence keeps a rule, a sensor or an action from acting for a while.
type Silence struct {
	ID      string     `json:"id,omitempty"`
	Rule    string     `json:"rule,omitempty"`
	Sensor  looseid.ID `json:"sensor,omitempty"`
	Server  string     `json:"server,omitempty" jsonschema:"description=all endpoints of this server"`
	Tenant  string     `json:"tenant,omitempty" jsonschema:"description=all endpoints of the servers of this tenant"`
	Action  string     `json:"action,omitempty"`
	Author  string     `json:"author,omitempty"`
	Comment string     `json:"comment"`
	Until   time.Time  `json:"until"`
}

// EventQuery selects events on the bus.
type EventQuery struct {
	Host    string    // of this host; case and domain do not count
	Process string    // part of a path, name or command line
	Text    string    // part of what a list shows
	Since   time.Time // arrived at or after; zero: an hour before Until
	Until   time.Time // happened until; zero: now
	Verdict string    // what became of it; empty: anything
	Limit   int       // the last ones; 0: 200
}

// What became of an event.
const (
	BecameJob   = "job"
	BecameNoJob = "no_job" // a rule matched, and a decision was against a job
	NoMatch     = "no_match"
	OtherServer = "other_server" // of no configured one
	RuleFailed  = "failed"
)

// EventsPage is the last events that a query selects, newest first.
type EventsPage struct {
	Since  time.Time   `json:"since"`
	Read   int         `json:"read" jsonschema:"description=events that were looked at"`
	Whole  bool        `json:"whole" jsonschema:"description=all since then were looked at; false: the search took too long"`
	Events []EventLine `json:"events"`
}

// EventLine is an event in a list, with what became of it.
type EventLine struct {
	ID       string     `json:"id"`
	Time     time.Time  `json:"time,omitzero"`
	Received time.Time  `json:"received,omitzero"`
	Type     string     `json:"type"`
	Server   string     `json:"server,omitempty"`
	Host     string     `json:"host,omitempty"`
	Sensors  []string   `json:"sensors,omitempty"`
	Story    string     `json:"story"`
	Kind     string     `json:"kind" jsonschema:"enum=job,enum=no_job,enum=no_match,enum=other_server,enum=failed"`
	Verdict  string     `json:"verdict" jsonschema:"description=what became of it\\, in words"`
	Rules    []string   `json:"rules,omitempty" jsonschema:"description=rules in force that match it"`
	Jobs     []EventJob `json:"jobs,omitempty"`
}

// EventJob is a job that an event has become.
type EventJob struct {
	ID     string     `json:"id"`
	Rule   string     `json:"rule"`
	State  jobs.State `json:"state"`
	Detail string     `json:"detail,omitempty"`
}

// Why answers a question through the whole pipe.
type Why struct {
	About string    `json:"about"`
	Lines []WhyLine `json:"lines"`
}

// WhyLine is one thing that happened, or did not.
type WhyLine struct {
	At   time.Time `json:"at,omitzero"`
	What string    `json:"what" jsonschema:"description=arrived\\, matched\\, suppressed\\, guard\\, job\\, step\\, waits\\, ended"`
	Text string    `json:"text"`
}
