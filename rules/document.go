package rules

import (
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/strictyaml"
)

// A rule file as its author writes it. The doc tags are the documentation, the
// schema for editors and the reference page; the yaml tags are a contract.

// fileDocument is one YAML document of a rule file.
type fileDocument struct {
	Rules []ruleDocument `yaml:"rules,required" doc:"the rules"`
}

type ruleDocument struct {
	ID             string                     `yaml:"id,required" doc:"stable and unique: a-z, 0-9 and -"`
	Title          string                     `yaml:"title" doc:"what the rule does, in one line"`
	Description    string                     `yaml:"description" doc:"for people"`
	Author         string                     `yaml:"author" doc:"for people"`
	References     []string                   `yaml:"references" list:"one" doc:"links for people"`
	FalsePositives []string                   `yaml:"false_positives" list:"one" doc:"what else may look like this"`
	Severity       string                     `yaml:"severity" enum:"info,low,medium,high,critical" default:"medium" doc:"how bad it is; also the priority of its jobs unless priority is set"`
	Priority       string                     `yaml:"priority" enum:"critical,high,normal,low" doc:"of its jobs"`
	Tags           []string                   `yaml:"tags" list:"one" doc:"such as attack.t1059.001"`
	Source         *sourceDocument            `yaml:"source" doc:"the rule that this one was converted from"`
	Mode           string                     `yaml:"mode" enum:"shadow,enforce" default:"enforce" doc:"shadow: decide and record, do not act"`
	Enabled        *bool                      `yaml:"enabled" default:"true" doc:"false: check the rule, do not use it"`
	On             []string                   `yaml:"on,required,alias=event" list:"one" doc:"event types (feed.ingress.hit.process), kinds (process_start), patterns (watchlist.*) or alert_updated, for alerts that changed"`
	When           string                     `yaml:"when" doc:"condition: an expression that is true or false; may be left out where on names its types exactly"`
	Vars           strictyaml.Ordered[string] `yaml:"vars" doc:"named expressions, evaluated once per match, each may use those above it as vars.name"`
	MaxAge         *maxAge                    `yaml:"max_age" default:"15m" doc:"older events do not act, and none whose time is not known; 0: events of any known age do; any: all do"`
	Suppress       *suppressDocument          `yaml:"suppress" doc:"after acting for a key, do not act for it again for a while"`
	Correlate      *correlateDocument         `yaml:"correlate" doc:"fire on several events together"`
	Limits         *limitsDocument            `yaml:"limits" doc:"bound the jobs of the rule over all sensors"`
	Concurrency    *concurrencyDocument       `yaml:"concurrency" doc:"what happens while a job of the same key is under way"`
	Sensors        *sensorsDocument           `yaml:"sensors" doc:"what to do with events that name several sensors; without it they do not act"`
	Offline        *offlineDocument           `yaml:"offline" doc:"what to do while the sensor sleeps"`
	Timeout        *time.Duration             `yaml:"timeout" default:"1h" doc:"for the whole chain, once it runs"`
	Steps          []stepDocument             `yaml:"steps,required" doc:"what to do, in order"`
	OnFailure      []stepDocument             `yaml:"on_failure" doc:"what to do when the chain fails; failed is the step that failed"`
	Tests          []testDocument             `yaml:"tests" doc:"what the rule must do, checked by pipeline rules test"`
}

// sourceDocument is what an importer notes of the original rule, for its next run.
type sourceDocument struct {
	ID       string   `yaml:"id" doc:"its UUID"`
	Status   string   `yaml:"status" doc:"what its authors say of it: stable, test, experimental"`
	Date     string   `yaml:"date" doc:"when it was written"`
	Modified string   `yaml:"modified" doc:"when it was last changed"`
	Digest   string   `yaml:"digest" doc:"of its file"`
	When     string   `yaml:"when" doc:"digest of the condition as it was converted: what was added behind it stays on an update"`
	Narrower []string `yaml:"narrower" doc:"fields that events lack: alternatives with them were left out, so that this rule matches less"`
}

type suppressDocument struct {
	Key   []string       `yaml:"key" list:"one" doc:"expressions; without them the sensor and the event's subject (process, hash, watchlist or report)"`
	For   *time.Duration `yaml:"for" default:"15m" doc:"how long; 0: nothing is suppressed"`
	Count int            `yaml:"count" min:"1" default:"1" doc:"how often it may act in that time"`
}

type correlateDocument struct {
	Type     string        `yaml:"type,required" enum:"event_count,value_count,temporal,temporal_ordered" doc:"event_count: events; value_count: different values of field; temporal: all of rules; temporal_ordered: all of rules, in that order"`
	GroupBy  []string      `yaml:"group_by" list:"one" doc:"expressions; events count together where they are equal"`
	Field    string        `yaml:"field" doc:"expression whose different values are counted (value_count)"`
	Timespan time.Duration `yaml:"timespan,required" doc:"how far apart the events may be"`
	GTE      int           `yaml:"gte" min:"1" max:"1000" doc:"how many it takes (event_count, value_count)"`
	Rules    []string      `yaml:"rules" doc:"ids of the rules that must match (temporal, temporal_ordered)"`
	Across   string        `yaml:"across" enum:"tenants" doc:"tenants: events of servers of different tenants count together; else each tenant's by themselves"`
}

type limitsDocument struct {
	Jobs     int           `yaml:"jobs,required" min:"1" doc:"how many"`
	Per      time.Duration `yaml:"per,required" doc:"in how long"`
	OnExceed string        `yaml:"on_exceed" enum:"hold,drop,shadow,require_approval" default:"hold" doc:"what becomes of further jobs"`
}

type concurrencyDocument struct {
	Key    string `yaml:"key" doc:"text with ${{ }}; without it the sensor"`
	Policy string `yaml:"policy" enum:"queue,join,drop,replace" default:"queue" doc:"queue: wait; join: let the running one count for this; drop: do nothing; replace: cancel the waiting one"`
}

type sensorsDocument struct {
	Each bool `yaml:"each" doc:"true: a job for each sensor that the event names"`
	Max  int  `yaml:"max" min:"1" max:"1000" default:"10" doc:"events that name more do not act"`
}

type offlineDocument struct {
	Wait time.Duration `yaml:"wait,required" default:"72h" doc:"how long a job waits for a sleeping sensor"`
}

type stepDocument struct {
	ID        string            `yaml:"id" doc:"name for later steps; letters, digits and _"`
	Uses      string            `yaml:"uses" doc:"the action"`
	With      map[string]any    `yaml:"with" doc:"its parameters; text in them may hold ${{ expressions }}"`
	If        string            `yaml:"if" doc:"condition; always(): also after a failure"`
	Foreach   string            `yaml:"foreach" doc:"expression that gives a list: the step runs for each item"`
	Timeout   time.Duration     `yaml:"timeout" doc:"for this step"`
	Retry     *retryDocument    `yaml:"retry" doc:"try again"`
	OnError   string            `yaml:"on_error" enum:"stop,continue" default:"stop" doc:"continue: go on with the next step after a failure"`
	Approval  *approvalDocument `yaml:"approval" doc:"wait for people"`
	UndoAfter time.Duration     `yaml:"undo_after" doc:"reverse the step after this time"`
	Sensor    string            `yaml:"sensor" doc:"expression for the id of another sensor than the event's"`
	Parallel  []stepDocument    `yaml:"parallel" doc:"steps to run at the same time, instead of uses"`
}

type retryDocument struct {
	Max     int           `yaml:"max,required" min:"1" max:"20" doc:"how many times more"`
	Backoff time.Duration `yaml:"backoff" doc:"before the first repetition; doubles"`
	On      []string      `yaml:"on" list:"one" enum:"timeout,sensor_busy,server_error" doc:"for which reasons; without it all of them"`
}

type approvalDocument struct {
	If        string        `yaml:"if" doc:"condition under which approval is needed"`
	From      []string      `yaml:"from" list:"one" doc:"roles that may approve"`
	Require   int           `yaml:"require" min:"1" default:"1" doc:"how many people"`
	Within    time.Duration `yaml:"within" doc:"how long to wait for them"`
	Otherwise string        `yaml:"otherwise" enum:"deny,allow" default:"deny" doc:"what happens when nobody answers in time"`
}

// Defaults of what a rule does not say.
const (
	DefaultMaxAge      = 15 * time.Minute
	DefaultSuppression = 15 * time.Minute
	DefaultOfflineWait = 72 * time.Hour
	DefaultTimeout     = time.Hour
	DefaultMaxSensors  = 10
)

// rule is the rule that a document describes, not yet checked.
func (d *ruleDocument) rule() *Rule {
	r := &Rule{
		ID: d.ID, Title: d.Title, Description: d.Description, Author: d.Author,
		References: d.References, FalsePositives: d.FalsePositives, Tags: d.Tags,
		Severity: or(d.Severity, "medium"), Priority: d.Priority,
		Mode: Mode(or(d.Mode, string(Enforce))), Enabled: orDefault(d.Enabled, true),
		When:   d.When,
		MaxAge: time.Duration(orDefault(d.MaxAge, maxAge(DefaultMaxAge))), Timeout: orDefault(d.Timeout, DefaultTimeout),
		OfflineWait: DefaultOfflineWait,
		Steps:       steps(d.Steps), OnFailure: steps(d.OnFailure),
	}
	r.On, r.Updates = readOn(d.On)
	if r.Priority == "" {
		r.Priority = priorityOf[r.Severity]
	}
	for _, v := range d.Vars {
		r.Vars = append(r.Vars, Var{v.Key, v.Value})
	}
	if d.Offline != nil {
		r.OfflineWait = d.Offline.Wait
	}
	d.timing(r)
	actions.Number(r.Steps, r.OnFailure)
	return r
}

// timing fills in what bounds how often a rule acts.
func (d *ruleDocument) timing(r *Rule) {
	if s := d.Suppress; s != nil {
		r.Suppress = &Suppress{Key: s.Key, For: orDefault(s.For, DefaultSuppression), Count: s.Count}
	}
	if c := d.Correlate; c != nil {
		r.Correlate = &Correlate{Type: c.Type, GroupBy: c.GroupBy, Field: c.Field, Timespan: c.Timespan, GTE: c.GTE, Rules: c.Rules, Across: c.Across}
	}
	if l := d.Limits; l != nil {
		r.Limits = &Limits{Jobs: l.Jobs, Per: l.Per, OnExceed: or(l.OnExceed, "hold")}
	}
	if c := d.Concurrency; c != nil {
		r.Concurrency = &Concurrency{Key: c.Key, Policy: or(c.Policy, "queue")}
	}
	if s := d.Sensors; s != nil {
		r.Sensors = &Sensors{Each: s.Each, Max: s.Max}
		if s.Max == 0 {
			r.Sensors.Max = DefaultMaxSensors
		}
	}
}

// priorityOf is the priority of the jobs of a rule that does not set one.
var priorityOf = map[string]string{
	"info": "low", "low": "low", "medium": "normal", "high": "high", "critical": "critical",
}

func steps(documents []stepDocument) []actions.Step {
	var all []actions.Step
	for _, d := range documents {
		s := actions.Step{
			ID: d.ID, Uses: d.Uses, With: d.With, If: d.If, Foreach: d.Foreach, Timeout: d.Timeout,
			OnError: d.OnError, UndoAfter: d.UndoAfter, Sensor: d.Sensor, Parallel: steps(d.Parallel),
		}
		if d.Retry != nil {
			s.Retry = &actions.Retry{Max: d.Retry.Max, Backoff: d.Retry.Backoff, On: d.Retry.On}
		}
		if a := d.Approval; a != nil {
			s.Approval = &actions.Approval{If: a.If, From: a.From, Require: a.Require, Within: a.Within, Otherwise: a.Otherwise}
		}
		all = append(all, s)
	}
	return all
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orDefault[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
