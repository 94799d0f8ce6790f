package actions

import (
	"context"
	"time"

	"edrpipe/internal/pace"
)

// WaitParams are the parameters of wait.
type WaitParams struct {
	For Duration `json:"for" required:"true" doc:"how long, from the first begin of the step: a restart does not prolong it"`
}

// WaitOutput is the output of wait.
type WaitOutput struct {
	Until time.Time `json:"until"`
}

var _ = Register(Definition[WaitParams, WaitOutput]{
	Is: Spec{
		Name:    "wait",
		Summary: "Wait before the next step",
		Class:   Repeatable,
		Timeout: 31 * 24 * time.Hour,
	},
	Do: func(ctx context.Context, t *Task, p WaitParams) (WaitOutput, error) {
		since := t.Since
		if since.IsZero() {
			since = t.Now()
		}
		until := since.Add(time.Duration(p.For))
		return WaitOutput{Until: until}, pace.Sleep(ctx, until.Sub(t.Now()))
	},
})
