package actions

import (
	"context"
	"time"

	"edrpipe/pkg/edr"
)

var _ = Register(Definition[IsolateParams, IsolateOutput]{
	Is: Spec{
		Name:        "unisolate",
		Summary:     "Let an isolated endpoint back on the network, and see that it rejoined",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerIsolate},
		Destructive: true,
		Permissions: []string{permitIsolate},
		Timeout:     30 * time.Minute,
	},
	Do: func(ctx context.Context, t *Task, p IsolateParams) (IsolateOutput, error) {
		return t.setIsolation(ctx, false, time.Duration(p.Wait))
	},
	Already: func(ctx context.Context, t *Task, _ IsolateParams) (bool, IsolateOutput, error) {
		return t.checkIsolation(ctx, edr.NotIsolated)
	},
})
