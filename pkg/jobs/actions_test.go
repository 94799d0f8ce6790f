package jobs

import (
	"context"
	"errors"
	"io"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

// Actions of the tests: one of each class, so that what the server counts tells
// which step ran how often.
type testParams struct {
	Name string `json:"name"`
}

type testOutput struct {
	Name string `json:"name"`
}

func sessionWith[P any](ctx context.Context, t *actions.Task) (P, error) {
	s, err := t.Session(ctx)
	if err != nil {
		var none P
		return none, err
	}
	return edr.As[P](s)
}

var (
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_read", Class: actions.Repeatable, Session: true, Commands: []string{"get file"}},
		Do: func(ctx context.Context, t *actions.Task, p testParams) (testOutput, error) {
			s, err := sessionWith[edr.Files](ctx, t)
			if err != nil {
				return testOutput{}, err
			}
			_, err = s.GetFile(ctx, p.Name, edr.Range{}, io.Discard)
			return testOutput(p), err
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_delete", Class: actions.Checkable, Session: true, Commands: []string{"delete file"}},
		Do: func(ctx context.Context, t *actions.Task, p testParams) (testOutput, error) {
			s, err := sessionWith[edr.Files](ctx, t)
			if err != nil {
				return testOutput{}, err
			}
			return testOutput(p), s.DeleteFile(ctx, p.Name)
		},
		Already: func(ctx context.Context, t *actions.Task, p testParams) (bool, testOutput, error) {
			s, err := sessionWith[edr.Files](ctx, t)
			if err != nil {
				return false, testOutput{}, err
			}
			f := fakeOf(t)
			if _, err := s.GetFile(ctx, "look", edr.Range{}, io.Discard); err != nil {
				return false, testOutput{}, err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.deleted(looseid.Sensor(t.Sensor.ID), p.Name), testOutput(p), nil
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_run", Class: actions.Once, Session: true, Destructive: true, Commands: []string{"create process"}},
		Do: func(ctx context.Context, t *actions.Task, p testParams) (testOutput, error) {
			s, err := sessionWith[edr.Runner](ctx, t)
			if err != nil {
				return testOutput{}, err
			}
			_, err = s.Run(ctx, edr.ProcessSpec{CommandLine: p.Name})
			return testOutput(p), err
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_isolate", Class: actions.Checkable, Undo: "test_release"},
		Do: func(ctx context.Context, t *actions.Task, p testParams) (testOutput, error) {
			return testOutput(p), t.Server.(edr.Isolator).SetIsolation(ctx, t.Sensor.ID, true)
		},
		Already: func(_ context.Context, t *actions.Task, p testParams) (bool, testOutput, error) {
			return fakeOf(t).isolated(looseid.Sensor(t.Sensor.ID)), testOutput(p), nil
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_release", Class: actions.Checkable},
		Do: func(ctx context.Context, t *actions.Task, p testParams) (testOutput, error) {
			return testOutput(p), t.Server.(edr.Isolator).SetIsolation(ctx, t.Sensor.ID, false)
		},
		Already: func(_ context.Context, t *actions.Task, p testParams) (bool, testOutput, error) {
			return !fakeOf(t).isolated(looseid.Sensor(t.Sensor.ID)), testOutput(p), nil
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_fail", Class: actions.Repeatable},
		Do: func(context.Context, *actions.Task, testParams) (testOutput, error) {
			return testOutput{}, errors.New("as asked")
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_say", Class: actions.Repeatable},
		Do: func(_ context.Context, _ *actions.Task, p testParams) (testOutput, error) { return testOutput(p), nil },
	})
)

func fakeOf(t *actions.Task) *fakeServer { return t.Server.(interface{ base() *fakeServer }).base() }

func (f *fakeServer) isolated(id int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sensors[id].isolated
}

// deleted reports whether a file was deleted; f.mu is held.
func (f *fakeServer) deleted(sensor int, name string) bool {
	return f.ran[key(sensor, "delete file", name)] > 0
}
