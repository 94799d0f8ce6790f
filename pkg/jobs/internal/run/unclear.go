package run

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/chain"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs/job"
)

// unclear is what becomes of a step whose condition hangs on facts of the endpoint that
// are not known. Where the server may yet tell them, the job waits. A step that changes
// something has its job held until people settle it; any other is skipped.
func (x *Execution) unclear(ctx context.Context, st *actions.Step, of *events.Event, missing events.Facts) (*Halt, *chain.End) {
	if of != nil && missing&of.Sensor.Pending != 0 {
		text := fmt.Sprintf("step %s: if: %s is not read yet: the server has not answered", st.ID, missing&of.Sensor.Pending)
		return x.park(job.ReasonFactPending, text, pendingAgain), nil
	}
	text, end := chain.CannotTell(st, missing, x.job.Mode == "shadow")
	if end != nil || x.granted(text) {
		return nil, end
	}
	return x.ask(ctx, job.Question{About: text, Require: 1, Otherwise: "deny", Missing: missing}, job.ReasonUnknownFact), nil
}

// pendingAgain is when a step is looked at again whose server has not told a fact.
const pendingAgain = 10 * time.Second
