package run

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs/job"
)

// unclear is what becomes of a step whose condition hangs on facts of the endpoint
// that are not known. Where the server may yet tell them, the job waits. One that changes something has its job held until people settle
// it; any other is skipped, with the reason. decided is false where people have
// allowed the step.
func (x *Execution) unclear(ctx context.Context, st *actions.Step, of *events.Event, missing events.Facts) (h *Halt, decided bool) {
	if of != nil && missing&of.Sensor.Pending != 0 {
		text := fmt.Sprintf("step %s: if: %s is not read yet: the server has not answered", st.ID, missing&of.Sensor.Pending)
		return x.park(job.ReasonFactPending, text, pendingAgain), true
	}
	text := fmt.Sprintf("step %s: if: cannot tell, %s is not known; it can come from the endpoint's events, from its server, or from the endpoints file", st.ID, missing)
	if !changes(st) || x.job.Mode == "shadow" {
		r := x.stepRecord(st, 0)
		r.State, r.Reason, r.Error = job.StepSkipped, job.ReasonUnknownFact, text
		return x.ended(x.finish(ctx, st, r)), true
	}
	if x.granted(text) {
		return nil, false
	}
	return x.ask(ctx, job.Question{About: text, Require: 1, Otherwise: "deny", Missing: missing}, job.ReasonUnknownFact), true
}

// pendingAgain is when a step is looked at again whose server has not told a fact.
const pendingAgain = 10 * time.Second

// changes reports whether a step changes the endpoint or its server; what is not
// known to read only counts as changing.
func changes(st *actions.Step) bool {
	for i := range st.Parallel {
		if changes(&st.Parallel[i]) {
			return true
		}
	}
	if len(st.Parallel) > 0 {
		return false
	}
	a, ok := actions.Lookup(st.Uses)
	return !ok || a.Spec().Destructive
}
