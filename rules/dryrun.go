package rules

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/chain"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Ran is a step that a dry run would have run.
type Ran struct {
	Step   string         // id
	Uses   string         // action
	Args   map[string]any // as evaluated
	At     time.Duration  // of its job, after the begin of the test
	Job    int            // number of the job, from 1
	Error  string         // it failed
	Broken bool           // it could not run: Error says what is wrong with it
	Asks   []string       // people or groups of the approval that it would wait for
	Waits  bool           // it would wait for an approval
	Reason string         // why it is held
}

// dryRun evaluates a chain without acting: it is the Host of a chain.Flow whose actions
// give what mocks say.
type dryRun struct {
	rule  *Compiled
	mocks map[string]mockDocument
	// admit asks the guards about a step; nil: there are none. Hold is for people to
	// answer, or for the guard's time.
	admit   func(ran Ran, a actions.Spec) (decision, reason string)
	patient bool // what guards hold is held; else it is noted, and goes on

	scope actions.Scope
	job   Ran // template of what ran
	ran   []Ran
	undos []Ran
	held  []Ran // steps that wait for a person or a fact
	ends  map[dryStep]chain.End
	err   error // an output cannot be kept
}

type dryStep struct {
	id   string
	item int
}

// dryHalt stops a dry run at a step that is held.
type dryHalt struct{}

// Outcomes of a chain.
const (
	outcomeSucceeded = "succeeded"
	outcomeSkipped   = "skipped"
	outcomeFailed    = "failed"
	outcomeDenied    = "denied"
	outcomeHeld      = "held"
	outcomeNone      = "none"
)

func newDryRun(r *Compiled, m *Match, endpoint edr.Endpoint, job int, at time.Time, mocks map[string]mockDocument) *dryRun {
	return &dryRun{
		rule: r, mocks: mocks, job: Ran{Job: job}, ends: map[dryStep]chain.End{},
		scope: actions.Scope{
			Event: m.Event, Vars: m.Vars, Correlated: m.Correlated,
			Job: actions.JobInfo{
				ID: fmt.Sprintf("job-%d", job), Server: endpoint.Server, Sensor: endpoint.ID,
				Host: m.Event.Sensor.Hostname, Priority: r.Priority, Mode: string(r.Mode), Created: at,
			},
			Rule: actions.RuleInfo{ID: r.ID, Title: r.Title, Severity: r.Severity, Tags: r.Tags, Digest: r.Digest},
		},
	}
}

// run evaluates the chain and what follows its failure, and gives the outcome.
func (d *dryRun) run(ctx context.Context) string {
	binders := map[bool]*actions.Binder{false: actions.NewBinder(d.rule.Steps, d.rule.Site)}
	site := d.rule.Site
	site.Before, site.Failure = d.rule.Steps, true
	binders[true] = actions.NewBinder(d.rule.OnFailure, site)
	f := &chain.Flow[dryHalt]{
		Host: d, Scope: func(context.Context) actions.Scope { return d.scope },
		Binder: func(cleanup bool) *actions.Binder { return binders[cleanup] },
	}
	halt := f.Run(ctx, d.rule.Steps, d.rule.OnFailure)
	failure := f.Failed()
	switch {
	case d.err != nil:
		return outcomeFailed
	case halt != nil:
		return outcomeHeld
	case failure != nil && (failure.End.Reason == chain.Denied || failure.End.Reason == chain.Unanswered):
		return outcomeDenied
	case failure != nil:
		return outcomeFailed
	}
	for step, e := range d.ends {
		if d.acts(step.id) && e.State != chain.Skipped && (step.item > 0 || !d.hasItems(step.id)) {
			return outcomeSucceeded
		}
	}
	return outcomeSkipped
}

// Ended is how a step of a job ended; items of a foreach, from 1, have ends of their own.
type Ended struct {
	Step   string
	Item   int
	Status string // ok, failed, skipped
	Reason string
}

func (d *dryRun) ended() []Ended {
	var all []Ended
	for step, e := range d.ends {
		all = append(all, Ended{step.id, step.item, e.State, e.Reason})
	}
	slices.SortFunc(all, func(a, b Ended) int { return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Item, b.Item)) })
	return all
}

// acts reports whether a step runs an action of its own: a parallel block does not.
func (d *dryRun) acts(id string) bool {
	for _, s := range allSteps(d.rule.Rule) {
		if s.ID == id {
			return len(s.Parallel) == 0
		}
	}
	return false
}

func (d *dryRun) hasItems(id string) bool {
	_, has := d.ends[dryStep{id, 1}]
	return has
}

// allSteps lists the steps of a rule, with those of blocks.
func allSteps(r *Rule) []actions.Step {
	var all []actions.Step
	var walk func(steps []actions.Step)
	walk = func(steps []actions.Step) {
		for _, s := range steps {
			all = append(all, s)
			walk(s.Parallel)
		}
	}
	walk(r.Steps)
	walk(r.OnFailure)
	return all
}

// Ended implements chain.Host.
func (d *dryRun) Ended(st *actions.Step, item int) (chain.End, bool) {
	e, over := d.ends[dryStep{st.ID, item}]
	return e, over
}

// Finish implements chain.Host.
func (d *dryRun) Finish(_ context.Context, st *actions.Step, item int, e chain.End) *dryHalt {
	d.ends[dryStep{st.ID, item}] = e
	if e.State == chain.Failed && e.Reason == chain.Binding {
		ran := d.job
		ran.Step, ran.Uses, ran.Error, ran.Broken = st.ID, st.Uses, e.Error, true
		d.ran = append(d.ran, ran)
	}
	return nil
}

// Between implements chain.Host.
func (d *dryRun) Between(context.Context) *dryHalt { return nil }

// Unclear implements chain.Host.
func (d *dryRun) Unclear(_ context.Context, st *actions.Step, _ *events.Event, missing events.Facts) (*dryHalt, *chain.End) {
	if _, end := chain.CannotTell(st, missing, false); end != nil {
		return nil, end
	}
	ran := d.job
	ran.Step, ran.Uses = st.ID, st.Uses
	return d.hold(ran, chain.UnknownFact), nil
}

func (d *dryRun) hold(ran Ran, reason string) *dryHalt {
	ran.Reason = reason
	d.held = append(d.held, ran)
	return &dryHalt{}
}

// Act implements chain.Host: the parameters are evaluated, people and guards asked, and
// the action gives what the mock says.
func (d *dryRun) Act(ctx context.Context, b *actions.Binder, st *actions.Step, item int, s actions.Scope) *dryHalt {
	broken := func(err error) *dryHalt {
		return d.Finish(ctx, st, item, chain.End{State: chain.Failed, Reason: chain.Binding, Error: err.Error()})
	}
	action, args, err := d.bind(b, st, s)
	if err != nil {
		return broken(err)
	}
	ran := d.job
	ran.Step, ran.Uses, ran.Args = st.ID, st.Uses, args
	demanded, err := chain.Demanded(b, st, s, false)
	if err != nil {
		return broken(err)
	}
	if demanded != nil {
		ran.Waits, ran.Asks = true, demanded.From
	}
	if halt, e := d.permitted(ran, action.Spec(), st); halt != nil || e != nil {
		if e != nil {
			d.Finish(ctx, st, item, *e)
		}
		return halt
	}
	if st.Sensor != "" {
		if _, err := b.Sensor(s, st.Sensor); err != nil {
			return broken(fmt.Errorf("sensor: %w", err))
		}
	}
	return d.outcome(ctx, st, item, action, ran)
}

// bind evaluates the parameters of a step.
func (d *dryRun) bind(b *actions.Binder, st *actions.Step, s actions.Scope) (actions.Action, map[string]any, error) {
	action, ok := actions.Lookup(st.Uses)
	if !ok {
		return nil, nil, fmt.Errorf("there is no action %s", st.Uses)
	}
	args, err := b.Args(s, st.With)
	if err != nil {
		return nil, nil, err
	}
	params, err := actions.Decode(action, unabbreviated(action, args))
	if err == nil {
		err = actions.Refused(params, st.Template(), edr.OS(d.scope.Event.Sensor.OS))
	}
	return action, args, err
}

// Answers of people that a mock may give.
const (
	granted   = "granted"
	deniedBy  = "denied"
	timedOut  = "timeout"
	unsettled = "waiting"
)

// permitted asks guards and people: the run stops at the step, the step ends, or, where
// both are nil, it runs.
func (d *dryRun) permitted(ran Ran, a actions.Spec, st *actions.Step) (*dryHalt, *chain.End) {
	answer, reason := d.mocks[st.ID].answer(), chain.Approval
	asked := ran.Waits
	if d.admit != nil {
		decision, why := d.admit(ran, a)
		switch decision {
		case "deny":
			return nil, &chain.End{State: chain.Failed, Reason: chain.Denied, Error: why}
		case "shadow":
			return nil, &chain.End{State: chain.Skipped, Reason: "shadow", Error: why}
		case "hold":
			if asked, reason = true, why; answer == "" && d.patient {
				answer = unsettled
			}
		}
	}
	if !asked {
		return nil, nil
	}
	switch {
	case answer == unsettled:
		return d.hold(ran, reason), nil
	case answer == deniedBy:
		return nil, &chain.End{State: chain.Failed, Reason: chain.Denied, Error: "denied"}
	case answer == timedOut && (st.Approval == nil || st.Approval.Otherwise != "allow"):
		return nil, &chain.End{State: chain.Failed, Reason: chain.Unanswered, Error: "nobody approved in time"}
	}
	return nil, nil
}

// outcome gives what the mock says that the action did.
func (d *dryRun) outcome(ctx context.Context, st *actions.Step, item int, a actions.Action, ran Ran) *dryHalt {
	mock := d.mocks[st.ID]
	ran.Error = mock.Error
	for n, name := range mock.Fails {
		if !chain.MayRetry(st, n+1, name) {
			ran.Error = name
			break
		}
	}
	d.ran = append(d.ran, ran)
	if ran.Error != "" {
		return d.Finish(ctx, st, item, chain.End{State: chain.Failed, Reason: chain.Step, Error: ran.Error})
	}
	output, err := json.Marshal(outputOf(a, mock.Output))
	if err != nil {
		d.err = fmt.Errorf("output of step %s: %w", st.ID, err)
	}
	if undo := a.Spec().Undo; st.UndoAfter > 0 && undo != "" {
		back := ran
		back.Uses, back.At = undo, ran.At+st.UndoAfter
		d.undos = append(d.undos, back)
	}
	return d.Finish(ctx, st, item, chain.End{State: chain.OK, Output: output})
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
