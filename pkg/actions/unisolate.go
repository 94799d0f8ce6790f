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
		return t.unisolate(ctx, time.Duration(p.Wait))
	},
	Already: func(ctx context.Context, t *Task, p IsolateParams) (bool, IsolateOutput, error) {
		s, err := t.Server.Sensor(ctx, t.Sensor.ID)
		if err != nil || s.Isolation != edr.NotIsolated {
			return false, IsolateOutput{}, err
		}
		out, err := t.unisolate(ctx, time.Duration(p.Wait)) // the reason may not be taken away yet
		return err == nil, out, err
	},
})
