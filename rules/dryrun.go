package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/expression"
)

// Ran is a step that a dry run would have run.
type Ran struct {
	Step  string         // id
	Uses  string         // action
	Args  map[string]any // as evaluated
	At    time.Duration  // of its job, after the begin of the test
	Job   int            // number of the job, from 1
	Error string         // it failed
}

// dryRun evaluates a chain without acting: conditions and parameters are those
// of a real run, results are what mocks say.
type dryRun struct {
	rule   *Compiled
	mocks  map[string]mockDocument
	binder *actions.Binder
	scope  actions.Scope
	job    Ran // template of what ran
	ran    []Ran
	denied bool
	held   []Ran               // steps whose condition hangs on unknown facts
	failed *actions.StepResult // the first step that failed and stopped the chain
	err    error               // the chain cannot be evaluated
}

// Outcomes of a chain.
const (
	outcomeSucceeded = "succeeded"
	outcomeFailed    = "failed"
	outcomeDenied    = "denied"
	outcomeHeld      = "held"
	outcomeNone      = "none"
)

func newDryRun(r *Compiled, m *Match, endpoint edr.Endpoint, job int, at time.Time, mocks map[string]mockDocument) *dryRun {
	return &dryRun{
		rule: r, mocks: mocks, binder: actions.NewBinder(r.Steps, r.Site), job: Ran{Job: job},
		scope: actions.Scope{
			Event: m.Event, Vars: m.Vars, Correlated: m.Correlated, Steps: map[string]actions.StepResult{},
			Job: actions.JobInfo{
				ID: fmt.Sprintf("job-%d", job), Server: endpoint.Server, Sensor: endpoint.ID,
				Host: m.Event.Sensor.Hostname, Priority: r.Priority, Mode: string(r.Mode), Created: at,
			},
			Rule: actions.RuleInfo{ID: r.ID, Title: r.Title, Severity: r.Severity, Tags: r.Tags, Digest: r.Digest},
		},
	}
}

// run evaluates the chain and what follows its failure, and gives the outcome.
func (d *dryRun) run() string {
	d.chain(d.rule.Steps)
	if d.failed != nil && !d.denied && len(d.rule.OnFailure) > 0 && d.err == nil {
		d.onFailure()
	}
	switch {
	case d.err != nil:
		return outcomeFailed
	case d.denied:
		return outcomeDenied
	case len(d.held) > 0:
		return outcomeHeld
	case d.failed != nil:
		return outcomeFailed
	}
	return outcomeSucceeded
}

func (d *dryRun) onFailure() {
	site := d.rule.Site
	site.Before, site.Failure = d.rule.Steps, true
	after := *d
	after.binder = actions.NewBinder(d.rule.OnFailure, site)
	after.scope.Failed, after.failed = d.failed, nil
	after.chain(d.rule.OnFailure)
	d.ran, d.err = after.ran, after.err
}

func (d *dryRun) chain(steps []actions.Step) {
	for _, s := range steps {
		if d.err != nil {
			return
		}
		d.step(s)
	}
}

// step runs a step if it is its turn: nothing has failed before, or its
// condition says always().
func (d *dryRun) step(s actions.Step) {
	_, always := actions.Condition(s.If)
	if (d.failed != nil || d.denied) && !always || len(d.held) > 0 {
		d.finish(s, "skipped", nil, "")
		return
	}
	truth, _, err := d.binder.Truth(d.scope, s.If)
	switch {
	case err != nil:
		d.fail(s, err.Error())
	case truth == expression.Unknown && changes(s):
		d.hold(s)
	case truth != expression.True:
		d.finish(s, "skipped", nil, "")
	case d.refusedBy(s):
		d.denied = true
		d.finish(s, "skipped", nil, "")
	case len(s.Parallel) > 0:
		d.chain(s.Parallel)
	case s.Foreach != "":
		d.foreach(s)
	default:
		if output, problem := d.act(s); problem != "" {
			d.fail(s, problem)
		} else {
			d.finish(s, "ok", output, "")
		}
	}
}

// changes reports whether a step changes the endpoint or its server.
func changes(s actions.Step) bool {
	a, ok := actions.Lookup(s.Uses)
	return ok && a.Spec().Destructive || slices.ContainsFunc(s.Parallel, changes)
}

// hold ends the chain at a step of which it cannot be told whether it may run: the
// service holds the job until a person answers or the fact is known.
func (d *dryRun) hold(s actions.Step) {
	ran := d.job
	ran.Step, ran.Uses = s.ID, s.Uses
	d.held = append(d.held, ran)
	d.finish(s, "skipped", nil, "")
}

// refusedBy tells whether a step needs an approval that the test denies.
func (d *dryRun) refusedBy(s actions.Step) bool {
	if s.Approval == nil || !d.mocks[s.ID].Deny {
		return false
	}
	truth, _, err := d.binder.Truth(d.scope, s.Approval.If)
	return truth != expression.False || err != nil // what cannot be told needs the approval
}

func (d *dryRun) foreach(s actions.Step) {
	items, err := d.binder.Items(d.scope, s.Foreach)
	if err != nil {
		d.fail(s, err.Error())
		return
	}
	outputs := []any{}
	for _, item := range items {
		d.scope.Item = item
		output, problem := d.act(s)
		d.scope.Item = nil
		if problem != "" {
			d.fail(s, problem)
			return
		}
		outputs = append(outputs, output)
	}
	d.finish(s, "ok", outputs, "")
}

// act evaluates the parameters of a step and gives its mocked output, or why it
// fails.
func (d *dryRun) act(s actions.Step) (output any, problem string) {
	args, err := d.binder.Args(d.scope, s.With)
	if err != nil {
		return nil, err.Error()
	}
	ran := d.job
	ran.Step, ran.Uses, ran.Args = s.ID, s.Uses, args
	action, ok := actions.Lookup(s.Uses)
	if !ok {
		return nil, "there is no action " + s.Uses
	}
	params, err := actions.Decode(action, unabbreviated(action, args))
	if err == nil {
		err = actions.Refused(params, s.Template(), edr.OS(d.scope.Event.Sensor.OS))
	}
	if err != nil {
		return nil, err.Error()
	}
	mock := d.mocks[s.ID]
	ran.Error = mock.Error
	d.ran = append(d.ran, ran)
	if mock.Error != "" {
		return nil, mock.Error
	}
	return outputOf(action, mock.Output), ""
}

// unabbreviated are the arguments with hashes in their full length: tests may
// shorten one to what tells it from others, as in md5: bb.
func unabbreviated(a actions.Action, args map[string]any) map[string]any {
	full := maps.Clone(args)
	for _, f := range actions.Fields(a.Params()) {
		short, ok := args[f.Name].(string)
		if !ok || f.Type != reflect.TypeFor[actions.MD5]() || strings.Trim(short, "0123456789abcdef") != "" || short == "" || len(short) > md5Digits {
			continue
		}
		full[f.Name] = short + strings.Repeat("0", md5Digits-len(short))
	}
	return full
}

const md5Digits = 32

// outputOf is the empty output of an action with what a mock says of it.
func outputOf(a actions.Action, mock map[string]any) map[string]any {
	data, err := json.Marshal(reflect.New(a.Output()).Elem().Interface())
	output := map[string]any{}
	if err == nil {
		_ = json.Unmarshal(data, &output) // an output that is not an object has no fields to fill in
	}
	overlay(output, mock)
	return output
}

func overlay(base, over map[string]any) {
	for key, value := range over {
		inner, both := base[key].(map[string]any)
		if m, ok := value.(map[string]any); ok && both {
			overlay(inner, m)
			continue
		}
		base[key] = value
	}
}

func (d *dryRun) fail(s actions.Step, problem string) {
	result := d.finish(s, "failed", nil, problem)
	if s.OnError != "continue" && d.failed == nil {
		d.failed = &result
	}
}

func (d *dryRun) finish(s actions.Step, status string, output any, problem string) actions.StepResult {
	result := actions.StepResult{ID: s.ID, Status: status, Error: problem}
	if output != nil {
		data, err := json.Marshal(output)
		if err != nil {
			d.err = fmt.Errorf("output of step %s: %w", s.ID, err)
		}
		result.Output = data
	}
	d.scope.Steps[s.ID] = result
	return result
}

func collectSteps(steps []actions.Step, into map[string]actions.Step) {
	for _, s := range steps {
		into[s.ID] = s
		collectSteps(s.Parallel, into)
	}
}
