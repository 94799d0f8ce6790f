// Package chain carries out the steps of a rule: their order, conditions, parallel
// blocks, loops, and what a failure does to the rest. The service, the tests of rules,
// explanations and backtests all run chains with it, so that they cannot differ. What
// it means to run one action, and where ends are recorded, is the Host's.
package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// States in which a step ends.
const (
	OK      = "ok"
	Failed  = "failed"
	Skipped = "skipped"
	Unknown = "unknown" // whether it was done cannot be told
)

// Reasons that a Flow gives itself.
const (
	Condition   = "condition"    // its condition, or an earlier failure
	Binding     = "binding"      // an expression or a parameter is wrong
	Step        = "step_failed"  // its action did
	Denied      = "denied"       // people or guards did not allow it
	Unanswered  = "unanswered"   // nobody allowed it in time
	Approval    = "approval"     // it waits for people
	UnknownFact = "unknown_fact" // its condition hangs on facts that are not known
)

// End is how a step ended, or one item of it.
type End struct {
	State  string
	Reason string
	Error  string
	Output json.RawMessage
}

// bad reports whether the step did not do what it should.
func (e End) bad() bool { return e.State == Failed || e.State == Unknown }

// A Host runs single actions for a Flow and keeps the ends of steps. H is why a chain
// stops before its end; a nil *H lets it go on.
type Host[H any] interface {
	// Ended returns the end of a step that has ended. Item 0 is the step as a whole.
	Ended(st *actions.Step, item int) (End, bool)
	// Finish keeps an end that the Flow has found.
	Finish(ctx context.Context, st *actions.Step, item int, e End) *H
	// Act runs the step's action for an item of its loop, or for none (item 0). After
	// nil, Ended says how it ended.
	Act(ctx context.Context, b *actions.Binder, st *actions.Step, item int, s actions.Scope) *H
	// Unclear decides about a step whose condition hangs on facts that are not known:
	// the chain stops, the step ends, or, where both are nil, it runs. See CannotTell.
	Unclear(ctx context.Context, st *actions.Step, of *events.Event, missing events.Facts) (*H, *End)
	// Between is asked after each step.
	Between(ctx context.Context) *H
}

// Flow is one run of a chain. A chain that was stopped is run again from its beginning:
// steps that have ended are not repeated.
type Flow[H any] struct {
	Host Host[H]
	// Scope is of the steps' expressions, without Steps, Item and Failed.
	Scope func(ctx context.Context) actions.Scope
	// Binder returns the binder of the chain, or of its cleanup.
	Binder func(cleanup bool) *actions.Binder
	// Literal: the conditions have been evaluated elsewhere, and hold.
	Literal bool
	// Beside starts a step of a parallel block that needs no session beside the others;
	// nil: its steps run one after the other, in the order written.
	Beside func(run func())

	mu      sync.Mutex
	results map[string]actions.StepResult
	failed  *Failure
}

// Failure is what made a chain fail.
type Failure struct {
	Result actions.StepResult
	End    End
}

// Run runs the chain, and after a failure what cleans up. It returns why it stopped, or
// nil at its end.
func (f *Flow[H]) Run(ctx context.Context, steps, onFailure []actions.Step) *H {
	if h := f.steps(ctx, steps, false); h != nil {
		return h
	}
	if f.Failed() == nil {
		return nil
	}
	return f.steps(ctx, onFailure, true)
}

// Failed is the failure that the chain has as a whole; nil: none so far.
func (f *Flow[H]) Failed() *Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *Flow[H]) steps(ctx context.Context, steps []actions.Step, cleanup bool) *H {
	for i := range steps {
		h, failure := f.step(ctx, &steps[i], cleanup, f.Failed() != nil)
		if h != nil {
			return h
		}
		f.note(failure)
		if h := f.Host.Between(ctx); h != nil {
			return h
		}
	}
	return nil
}

// note keeps the chain's first failure.
func (f *Flow[H]) note(failure *Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = failure
	}
}

// step runs one step. failed tells whether the chain had failed before it, or before
// the block that it is in. The failure is one that the chain must not let pass.
func (f *Flow[H]) step(ctx context.Context, st *actions.Step, cleanup, failed bool) (*H, *Failure) {
	if e, over := f.Host.Ended(st, 0); over {
		return nil, f.recall(st, e)
	}
	if _, always := actions.Condition(st.If); failed && !cleanup && !always {
		return f.finish(ctx, st, End{State: Skipped, Reason: Condition, Error: "an earlier step failed"})
	}
	b := f.Binder(cleanup)
	scope := f.scope(ctx, nil)
	truth, missing, err := b.Truth(scope, f.condition(st))
	switch {
	case err != nil:
		return f.finish(ctx, st, End{State: Failed, Reason: Binding, Error: "if: " + err.Error()})
	case truth == expression.Unknown:
		h, e := f.Host.Unclear(ctx, st, scope.Event, missing)
		if h != nil {
			return h, nil
		}
		if e != nil {
			return f.finish(ctx, st, *e)
		}
	case truth == expression.False:
		return f.finish(ctx, st, End{State: Skipped, Reason: Condition})
	}
	switch {
	case len(st.Parallel) > 0:
		return f.parallel(ctx, st, cleanup, failed)
	case st.Foreach != "":
		return f.foreach(ctx, b, st)
	}
	return f.one(ctx, b, st)
}

// CannotTell is why it is not known whether a step may run. The end is that of a step
// which changes nothing, or is only recorded: it is skipped. Any other has to be allowed
// by people.
func CannotTell(st *actions.Step, missing events.Facts, recorded bool) (why string, end *End) {
	why = fmt.Sprintf("step %s: if: cannot tell, %s is not known; it can come from the endpoint's events, from its server, or from the endpoints file", st.ID, missing)
	if recorded || !Changes(st) {
		end = &End{State: Skipped, Reason: UnknownFact, Error: why}
	}
	return why, end
}

// condition is the step's if.
func (f *Flow[H]) condition(st *actions.Step) string {
	if f.Literal {
		return ""
	}
	return st.If
}

// finish keeps the end of a step.
func (f *Flow[H]) finish(ctx context.Context, st *actions.Step, e End) (*H, *Failure) {
	if h := f.Host.Finish(ctx, st, 0, e); h != nil {
		return h, nil
	}
	if kept, over := f.Host.Ended(st, 0); over {
		e = kept // what was too large to be kept has failed
	}
	return nil, f.remember(st, e)
}

// remember makes an ended step visible to later ones, and returns the failure that the
// chain must not let pass, if it is one.
func (f *Flow[H]) remember(st *actions.Step, e End) *Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.results == nil {
		f.results = map[string]actions.StepResult{}
	}
	result := actions.StepResult{ID: st.ID, Status: e.State, Error: e.Error, Output: e.Output}
	f.results[st.ID] = result
	if !e.bad() || st.OnError == "continue" && e.Reason != Denied {
		return nil
	}
	return &Failure{Result: result, End: e}
}

// recall is remember of a step that ended before the chain was stopped, with the steps
// of a block.
func (f *Flow[H]) recall(st *actions.Step, e End) *Failure {
	own := f.remember(st, e)
	failures := make([]*Failure, len(st.Parallel))
	for i := range st.Parallel {
		if sub, over := f.Host.Ended(&st.Parallel[i], 0); over {
			failures[i] = f.recall(&st.Parallel[i], sub)
		}
	}
	if first := worst(failures); own != nil && first != nil {
		return first
	}
	return own
}

// one runs a step that is no block and no loop.
func (f *Flow[H]) one(ctx context.Context, b *actions.Binder, st *actions.Step) (*H, *Failure) {
	if h := f.Host.Act(ctx, b, st, 0, f.scope(ctx, nil)); h != nil {
		return h, nil
	}
	e, _ := f.Host.Ended(st, 0)
	return nil, f.remember(st, e)
}

// scope is what a step's expressions see.
func (f *Flow[H]) scope(ctx context.Context, item any) actions.Scope {
	s := f.Scope(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Item = item
	if f.failed != nil {
		s.Failed = &f.failed.Result
	}
	s.Steps = make(map[string]actions.StepResult, len(f.results))
	for id, r := range f.results {
		s.Steps[id] = r
	}
	return s
}

// Changes reports whether a step changes the endpoint or its server; what is not known
// to read only counts as changing.
func Changes(st *actions.Step) bool {
	for i := range st.Parallel {
		if Changes(&st.Parallel[i]) {
			return true
		}
	}
	if len(st.Parallel) > 0 {
		return false
	}
	a, ok := actions.Lookup(st.Uses)
	return !ok || a.Spec().Destructive
}

// Demanded is the agreement that a step's author wants for it, or nil.
func Demanded(b *actions.Binder, st *actions.Step, s actions.Scope, literal bool) (*admission.Approval, error) {
	a := st.Approval
	if a == nil {
		return nil, nil
	}
	var missing events.Facts
	if a.If != "" && !literal {
		truth, unknown, err := b.Truth(s, a.If)
		if err != nil {
			return nil, fmt.Errorf("approval.if: %w", err)
		}
		if truth == expression.False { // what cannot be told needs the approval
			return nil, nil
		}
		missing = unknown
	}
	return &admission.Approval{From: a.From, Require: a.Require, Within: a.Within, Otherwise: a.Otherwise, Missing: missing}, nil
}
