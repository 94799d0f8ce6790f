package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"edrpipe/pkg/actions"
)

// parallel runs the steps of a block. None depends on another: each sees the chain as
// it was before the block, and the block is what its steps came to. Those that need a
// session take turns, because a session runs one command at a time.
func (f *Flow[H]) parallel(ctx context.Context, st *actions.Step, cleanup, failed bool) (*H, *Failure) {
	run := blockRun[H]{failures: make([]*Failure, len(st.Parallel))}
	var inRow []int
	for i := range st.Parallel {
		switch {
		case f.Beside == nil:
			if usesSession(&st.Parallel[i]) && run.stopped {
				continue // as in a row: what waits holds up those behind it
			}
			h, failure := f.step(ctx, &st.Parallel[i], cleanup, failed)
			run.stopped = run.stopped || h != nil && usesSession(&st.Parallel[i])
			run.note(i, h, failure)
		case usesSession(&st.Parallel[i]):
			inRow = append(inRow, i)
		default:
			run.group.Add(1)
			f.Beside(func() {
				defer run.group.Done()
				h, failure := f.step(ctx, &st.Parallel[i], cleanup, failed)
				run.note(i, h, failure)
			})
		}
	}
	for _, i := range inRow {
		h, failure := f.step(ctx, &st.Parallel[i], cleanup, failed)
		if run.note(i, h, failure); h != nil {
			break
		}
	}
	run.group.Wait()
	if run.halt != nil {
		return run.halt, nil
	}
	return f.came(ctx, st, run.failures)
}

// blockRun is a parallel block being run.
type blockRun[H any] struct {
	group sync.WaitGroup

	mu       sync.Mutex
	halt     *H
	stopped  bool       // a step that takes its turn has been stopped
	failures []*Failure // of each step
}

func (r *blockRun[H]) note(i int, h *H, failure *Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures[i] = failure
	if k, keeps := any(h).(interface{ Keeps() bool }); r.halt == nil || h != nil && keeps && k.Keeps() {
		if h != nil {
			r.halt = h
		}
	}
}

// usesSession reports whether a step of a block takes its turn.
func usesSession(st *actions.Step) bool {
	a, ok := actions.Lookup(st.Uses)
	return !ok || a.Spec().Session || len(st.Parallel) > 0
}

// came is the end of a block whose steps have all ended: what they came to. The chain's
// failure is that of its first step that failed, unless the block lets it pass.
func (f *Flow[H]) came(ctx context.Context, st *actions.Step, failures []*Failure) (*H, *Failure) {
	e := End{State: Skipped, Reason: Condition, Error: "no step of the block ran"}
	for i := range st.Parallel {
		if sub, over := f.Host.Ended(&st.Parallel[i], 0); over && sub.State != Skipped {
			e = End{State: OK}
		}
	}
	first := worst(failures)
	if first != nil {
		e = End{State: first.End.State, Reason: first.End.Reason, Error: fmt.Sprintf("step %s: %s", first.Result.ID, first.Result.Error)}
	}
	h, own := f.finish(ctx, st, e)
	if h != nil || own == nil {
		return h, nil
	}
	return nil, first
}

// worst is the first failure of which nobody knows what was done, or else the first.
func worst(failures []*Failure) *Failure {
	var first *Failure
	for _, failure := range failures {
		if failure == nil || first != nil && (first.End.State == Unknown || failure.End.State != Unknown) {
			continue
		}
		first = failure
	}
	return first
}

// foreach runs a step once for each item; its result is the list of theirs.
func (f *Flow[H]) foreach(ctx context.Context, b *actions.Binder, st *actions.Step) (*H, *Failure) {
	items, err := b.Items(f.scope(ctx, nil), st.Foreach)
	if err != nil {
		return f.finish(ctx, st, End{State: Failed, Reason: Binding, Error: "foreach: " + err.Error()})
	}
	all := End{State: OK}
	outputs := make([]json.RawMessage, 0, len(items))
	for i, item := range items {
		e, over := f.Host.Ended(st, i+1)
		if !over {
			if h := f.Host.Act(ctx, b, st, i+1, f.scope(ctx, item)); h != nil {
				return h, nil
			}
			if h := f.Host.Between(ctx); h != nil {
				return h, nil
			}
			e, _ = f.Host.Ended(st, i+1)
		}
		outputs = append(outputs, e.Output)
		if !e.bad() {
			continue
		}
		if all.State != Unknown && all.Reason != Denied {
			all.State, all.Reason, all.Error = e.State, e.Reason, fmt.Sprintf("item %d: %s", i+1, e.Error)
		}
		if st.OnError != "continue" {
			break
		}
	}
	if all.Output, err = json.Marshal(outputs); err != nil {
		return f.finish(ctx, st, End{State: Failed, Reason: Binding, Error: err.Error()})
	}
	return f.finish(ctx, st, all)
}
