package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/internal/pace"
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
	Changed  bool          `json:"changed" doc:"the step brought this about; false: it was so"`
	Kept     []string      `json:"kept,omitempty" doc:"who still wants the endpoint isolated: so it was not released"`
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
		return t.isolate(ctx, time.Duration(p.Wait))
	},
	Already: func(ctx context.Context, t *Task, p IsolateParams) (bool, IsolateOutput, error) {
		s, err := t.Server.Sensor(ctx, t.Sensor.ID)
		if err != nil || s.Isolation != edr.Isolated {
			return false, IsolateOutput{}, err
		}
		out, err := t.isolate(ctx, time.Duration(p.Wait)) // the reason may not be recorded yet
		return err == nil, out, err
	},
})

func (t *Task) isolate(ctx context.Context, wait time.Duration) (IsolateOutput, error) {
	out := IsolateOutput{}
	c, err := t.isolation(wait, "isolate", &out)
	if err != nil {
		return out, err
	}
	out.Changed, err = t.contain(ctx, c)
	return out, err
}

// unisolate takes a reason away, and releases the endpoint when it was the last.
func (t *Task) unisolate(ctx context.Context, wait time.Duration) (IsolateOutput, error) {
	out := IsolateOutput{}
	c, err := t.isolation(wait, "release", &out)
	if err != nil {
		return out, err
	}
	out.Changed, out.Kept, err = t.release(ctx, c)
	return out, err
}

// isolation is the endpoint's isolation as something that several may want; out
// gets its state as it is seen.
func (t *Task) isolation(wait time.Duration, verb string, out *IsolateOutput) (contained, error) {
	power, err := edr.As[edr.Isolator](t.Server)
	if err != nil {
		return contained{}, fmt.Errorf("%s sensor %s: %w", verb, t.Sensor.ID, err)
	}
	return contained{
		key: IsolationKey(edr.Endpoint{Server: t.Server.Name(), ID: t.Sensor.ID}),
		is: func(ctx context.Context) (on, ending bool, err error) {
			s, err := t.Server.Sensor(ctx, t.Sensor.ID)
			if err != nil {
				return false, false, fmt.Errorf("%s sensor %s, look at its state: %w", verb, t.Sensor.ID, err)
			}
			out.State, out.Isolated = s.Isolation, s.Isolation == edr.Isolated
			return s.Isolation == edr.Isolated || s.Isolation == edr.IsolateRequested, s.Isolation == edr.ReleaseRequested, nil
		},
		set: func(ctx context.Context, want bool) error {
			if err := power.SetIsolation(ctx, t.Sensor.ID, want); err != nil {
				return fmt.Errorf("%s sensor %s: %w", verb, t.Sensor.ID, err)
			}
			return nil
		},
		wait: func(ctx context.Context, want bool) error { return t.followed(ctx, want, verb, wait, out) },
	}, nil
}

// How often a sensor is looked at to see whether it has followed: soon at first,
// then less and less.
const (
	firstLook = 200 * time.Millisecond
	laterLook = 5 * time.Second
)

// followed blocks until the sensor has followed. A sensor that is offline is
// edr.ErrOffline: its server has recorded the wish, and the step is done when it
// runs again after the next check-in.
func (t *Task) followed(ctx context.Context, isolated bool, verb string, wait time.Duration, out *IsolateOutput) error {
	want := edr.NotIsolated
	if isolated {
		want = edr.Isolated
	}
	waited := time.Duration(0)
	for pause := firstLook; ; pause = min(2*pause, laterLook) {
		s, err := t.Server.Sensor(ctx, t.Sensor.ID)
		if err == nil {
			out.State, out.Isolated = s.Isolation, s.Isolation == edr.Isolated
		}
		switch {
		case err != nil && (waited >= wait || ctx.Err() != nil || errors.Is(err, edr.ErrUnknownSensor)):
			return fmt.Errorf("%s sensor %s, look whether it followed: %w", verb, t.Sensor.ID, err)
		case err != nil: // one look that fails says nothing: the next one may tell
		case s.Isolation == want:
			return nil
		case !s.Online:
			return fmt.Errorf("%s sensor %s: the server has recorded it, the sensor follows when it is back: %w", verb, t.Sensor.ID, edr.ErrOffline)
		case waited >= wait:
			return fmt.Errorf("%s sensor %s: state is still %q after %v: %w", verb, t.Sensor.ID, s.Isolation, wait, edr.ErrTimeout)
		}
		t.progress(fmt.Sprintf("%s: waiting for the sensor's check-in", verb))
		if err := pace.Sleep(ctx, pause); err != nil {
			return err
		}
		waited += pause
	}
}
