package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/edr"
)

// IsolateParams are the parameters of isolate and unisolate.
type IsolateParams struct {
	Wait   Duration `json:"wait" default:"25m" doc:"how long the sensor may take to follow; it does at its next check-in, up to 22 minutes in a large fleet"`
	Reason string   `json:"reason" doc:"for people, in the audit log"`
}

// IsolateOutput is the output of isolate and unisolate.
type IsolateOutput struct {
	State    edr.Isolation `json:"state"`
	Isolated bool          `json:"isolated" doc:"as the sensor confirmed it"`
}

var _ = Register(Definition[IsolateParams, IsolateOutput]{
	Is: Spec{
		Name:        "isolate",
		Summary:     "Cut the endpoint off the network, except from its EDR server",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerIsolate},
		Destructive: true,
		Undo:        "unisolate",
		Permissions: []string{permitIsolate},
		Timeout:     30 * time.Minute,
	},
	Do: func(ctx context.Context, t *Task, p IsolateParams) (IsolateOutput, error) {
		return t.setIsolation(ctx, true, time.Duration(p.Wait))
	},
	Already: func(ctx context.Context, t *Task, _ IsolateParams) (bool, IsolateOutput, error) {
		return t.checkIsolation(ctx, edr.Isolated)
	},
})

// How often a sensor is looked at to see whether it has followed: soon at first,
// then less and less.
const (
	firstLook = 200 * time.Millisecond
	laterLook = 5 * time.Second
)

// setIsolation asks the server for the state and returns when the sensor has
// followed. A sensor that is offline is edr.ErrOffline: its server has recorded
// the wish, and the step is done when it runs again after the next check-in.
func (t *Task) setIsolation(ctx context.Context, isolated bool, wait time.Duration) (IsolateOutput, error) {
	want, verb := edr.NotIsolated, "release"
	if isolated {
		want, verb = edr.Isolated, "isolate"
	}
	power, err := edr.As[edr.Isolator](t.Server)
	if err != nil {
		return IsolateOutput{}, fmt.Errorf("%s sensor %s: %w", verb, t.Sensor.ID, err)
	}
	if err := power.SetIsolation(ctx, t.Sensor.ID, isolated); err != nil {
		return IsolateOutput{}, fmt.Errorf("%s sensor %s: %w", verb, t.Sensor.ID, err)
	}
	waited := time.Duration(0)
	for pause := firstLook; ; pause = min(2*pause, laterLook) {
		s, err := t.Server.Sensor(ctx, t.Sensor.ID)
		switch {
		case err != nil && (waited >= wait || ctx.Err() != nil || errors.Is(err, edr.ErrUnknownSensor)):
			return IsolateOutput{}, fmt.Errorf("%s sensor %s, look whether it followed: %w", verb, t.Sensor.ID, err)
		case err != nil: // one look that fails says nothing: the next one may tell
		case s.Isolation == want:
			return IsolateOutput{State: s.Isolation, Isolated: isolated}, nil
		case !s.Online:
			return IsolateOutput{State: s.Isolation}, fmt.Errorf("%s sensor %s: the server has recorded it, the sensor follows when it is back: %w", verb, t.Sensor.ID, edr.ErrOffline)
		case waited >= wait:
			return IsolateOutput{State: s.Isolation}, fmt.Errorf("%s sensor %s: state is still %q after %v: %w", verb, t.Sensor.ID, s.Isolation, wait, edr.ErrTimeout)
		}
		t.progress(fmt.Sprintf("%s: waiting for the sensor's check-in", verb))
		if err := sleep(ctx, pause); err != nil {
			return IsolateOutput{}, err
		}
		waited += pause
	}
}

// checkIsolation looks whether the sensor itself is in that state already.
func (t *Task) checkIsolation(ctx context.Context, want edr.Isolation) (bool, IsolateOutput, error) {
	s, err := t.Server.Sensor(ctx, t.Sensor.ID)
	if err != nil {
		return false, IsolateOutput{}, err
	}
	return s.Isolation == want, IsolateOutput{State: s.Isolation, Isolated: s.Isolation == edr.Isolated}, nil
}
