package chain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/chain"
	"edrpipe/pkg/events"
)

// host runs actions of which some fail.
type host struct {
	mu    sync.Mutex
	fails map[string]string // reasons, by step
	ends  map[string]chain.End
	ran   []string
	hold  string // a step that stops the chain
}

type halt struct{}

func (h *host) key(st *actions.Step, item int) string { return fmt.Sprintf("%s/%d", st.ID, item) }

func (h *host) Ended(st *actions.Step, item int) (chain.End, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, over := h.ends[h.key(st, item)]
	return e, over
}

func (h *host) Finish(_ context.Context, st *actions.Step, item int, e chain.End) *halt {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends[h.key(st, item)] = e
	return nil
}

func (h *host) Act(ctx context.Context, _ *actions.Binder, st *actions.Step, item int, _ actions.Scope) *halt {
	if st.ID == h.hold {
		return &halt{}
	}
	h.mu.Lock()
	h.ran = append(h.ran, st.ID)
	reason, fails := h.fails[st.ID]
	h.mu.Unlock()
	if fails {
		return h.Finish(ctx, st, item, chain.End{State: chain.Failed, Reason: reason, Error: "gone"})
	}
	return h.Finish(ctx, st, item, chain.End{State: chain.OK, Output: json.RawMessage(`{}`)})
}

func (h *host) Unclear(_ context.Context, st *actions.Step, _ *events.Event, missing events.Facts) (*halt, *chain.End) {
	_, end := chain.CannotTell(st, missing, true)
	return nil, end
}

func (h *host) Between(context.Context) *halt { return nil }

func step(id, uses string) actions.Step { return actions.Step{ID: id, Uses: uses} }

func TestFlow(t *testing.T) {
	t.Parallel()
	look := func(id string) actions.Step { return step(id, "list_processes") }
	say := func(id string) actions.Step { return step(id, "publish") }
	block := func(id string, parts ...actions.Step) actions.Step { return actions.Step{ID: id, Parallel: parts} }
	pass := func(s actions.Step) actions.Step { s.OnError = "continue"; return s }
	when := func(s actions.Step, condition string) actions.Step { s.If = condition; return s }
	each := func(s actions.Step, items string) actions.Step { s.Foreach = items; return s }
	for name, c := range map[string]struct {
		steps   []actions.Step
		cleanup []actions.Step
		fails   map[string]string
		hold    string
		ran     string
		ends    string
		failed  string // step that made the chain fail
	}{
		"siblings do not skip each other": {
			steps: []actions.Step{block("all", look("a"), look("b"), say("c")), look("d")}, cleanup: []actions.Step{say("e")},
			fails: map[string]string{"a": ""}, ran: "a b c e", ends: "a=failed all=failed b=ok c=ok d=skipped e=ok", failed: "a",
		},
		"a block lets its failures pass": {
			steps: []actions.Step{pass(block("all", look("a"), look("b"))), look("d")},
			fails: map[string]string{"a": ""}, ran: "a b d", ends: "a=failed all=failed b=ok d=ok",
		},
		"a part of a block lets its failure pass": {
			steps: []actions.Step{block("all", pass(look("a")), look("b")), look("d")},
			fails: map[string]string{"a": ""}, ran: "a b d", ends: "a=failed all=ok b=ok d=ok",
		},
		"a block of which nothing ran is skipped": {
			steps: []actions.Step{block("all", when(look("a"), "process.pid == 1"), when(say("b"), "process.pid == 1"))},
			ends:  "a=skipped all=skipped b=skipped",
		},
		"a block after a failure": {
			steps: []actions.Step{look("x"), block("all", look("a"), when(say("b"), "always()")), when(block("more", look("c"), when(look("d"), "always()")), "always()")},
			fails: map[string]string{"x": ""}, ran: "x d", ends: "all=skipped c=skipped d=ok more=ok x=failed", failed: "x",
		},
		"a denial is not let pass": {
			steps: []actions.Step{pass(look("a")), look("b")},
			fails: map[string]string{"a": chain.Denied}, ran: "a", ends: "a=failed b=skipped", failed: "a",
		},
		"a loop stops at the first failure": {
			steps: []actions.Step{each(look("a"), "[1, 2]"), look("b")},
			fails: map[string]string{"a": ""}, ran: "a", ends: "a=failed b=skipped", failed: "a",
		},
		"a loop that lets failures pass runs to its end": {
			steps: []actions.Step{pass(each(look("a"), "[1, 2]")), look("b")},
			fails: map[string]string{"a": ""}, ran: "a a b", ends: "a=failed b=ok",
		},
		"what waits in a block holds up those behind it that take turns": {
			steps: []actions.Step{block("all", look("a"), look("b"), say("c")), look("d")},
			hold:  "a", ran: "c", ends: "c=ok",
		},
		"cleaning up goes on after a failure": {
			steps: []actions.Step{look("a")}, cleanup: []actions.Step{look("b"), look("c")},
			fails: map[string]string{"a": "", "b": ""}, ran: "a b c", ends: "a=failed b=failed c=ok", failed: "a",
		},
	} {
		for _, beside := range []func(func()){nil, func(run func()) { go run() }} {
			h := &host{fails: c.fails, ends: map[string]chain.End{}, hold: c.hold}
			f := &chain.Flow[halt]{
				Host: h, Scope: func(context.Context) actions.Scope { return actions.Scope{Event: &events.Event{}} }, Beside: beside,
				Binder: func(cleanup bool) *actions.Binder {
					return actions.NewBinder(append(slices.Clone(c.steps), c.cleanup...), actions.Site{})
				},
			}
			stopped := f.Run(t.Context(), c.steps, c.cleanup)
			var ends []string
			for key, e := range h.ends {
				if id, whole := strings.CutSuffix(key, "/0"); whole {
					ends = append(ends, id+"="+e.State)
				}
			}
			slices.Sort(ends)
			if beside != nil { // publish runs when it likes
				slices.Sort(h.ran)
			}
			want := strings.Fields(c.ran)
			if beside != nil {
				slices.Sort(want)
			}
			failed := ""
			if failure := f.Failed(); failure != nil {
				failed = failure.Result.ID
			}
			if !slices.Equal(h.ran, want) || strings.Join(ends, " ") != c.ends || failed != c.failed || (stopped != nil) != (c.hold != "") {
				t.Errorf("%s: ran %v, want %v; ends %v, want %s; failed by %q, want %q; stopped: %v", name, h.ran, want, ends, c.ends, failed, c.failed, stopped != nil)
			}
			h.hold, h.ran = "", nil
			again := &chain.Flow[halt]{Host: h, Scope: f.Scope, Binder: f.Binder, Beside: beside}
			again.Run(t.Context(), c.steps, c.cleanup)
			if c.hold == "" && len(h.ran) > 0 {
				t.Errorf("%s: run again, it repeats %v", name, h.ran)
			}
			if failure := again.Failed(); c.hold == "" && (failure != nil) != (c.failed != "") || failure != nil && failure.Result.ID != c.failed {
				t.Errorf("%s: run again, it failed by %v", name, failure)
			}
		}
	}
}
