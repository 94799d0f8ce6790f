package jobs

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

// poster is a server that takes a request which must not be repeated, as http sends them.
type poster interface {
	Post(sensor, name string) error
}

func (f *fakeServer) Post(sensor, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ran[key(looseid.Sensor(sensor), "post", name)]++
	return nil
}

func (m mortalServer) Post(sensor, name string) error {
	return m.crash.do("post", func() error { return m.fakeServer.Post(sensor, name) })
}

var (
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_post", Class: actions.Once},
		Do: func(_ context.Context, t *actions.Task, p testParams) (testOutput, error) {
			return testOutput(p), t.Server.(poster).Post(t.Sensor.ID, p.Name)
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_twice", Class: actions.Once, Session: true, Commands: []string{"delete file", "create process"}},
		Do: func(ctx context.Context, t *actions.Task, p testParams) (testOutput, error) {
			s, err := sessionWith[edr.LiveSession](ctx, t)
			if err != nil {
				return testOutput{}, err
			}
			if err := s.DeleteFile(ctx, p.Name); err != nil {
				return testOutput{}, err
			}
			_, err = s.Run(ctx, edr.ProcessSpec{CommandLine: p.Name})
			return testOutput(p), err
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_read_twice", Class: actions.Repeatable, Session: true, Commands: []string{"get file"}},
		Do: func(ctx context.Context, t *actions.Task, p testParams) (testOutput, error) {
			s, err := sessionWith[edr.Files](ctx, t)
			if err != nil {
				return testOutput{}, err
			}
			if _, err := s.GetFile(ctx, p.Name+"-1", edr.Range{}, io.Discard); err != nil {
				return testOutput{}, err
			}
			_, err = s.GetFile(ctx, p.Name+"-2", edr.Range{}, io.Discard)
			return testOutput(p), err
		},
	})
	_ = actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: "test_refused", Class: actions.Repeatable},
		Do: func(context.Context, *actions.Task, testParams) (testOutput, error) {
			return testOutput{}, errServer
		},
	})
)

// TestOnceIsOnceAtEveryCrash kills a process at each of its effects, before and after it,
// while it runs what must not run twice: a request without a session, whose outcome
// cannot be looked up, and an action of two commands, which may be found half done.
func TestOnceIsOnceAtEveryCrash(t *testing.T) {
	t.Parallel()
	for uses, of := range map[string][]string{"test_post": {"1 post x"}, "test_twice": {"1 delete file x", "1 create process x"}} {
		t.Run(uses, func(t *testing.T) {
			t.Parallel()
			half, points := 0, 0
			for _, after := range []bool{false, true} {
				for at := 1; ; at++ {
					what := ""
					synctest.Test(t, func(t *testing.T) { what = crashInOnce(t, uses, of, at, after, &half) })
					if what == "" {
						break
					}
					points++
				}
			}
			if points < 10 || half == 0 {
				t.Errorf("%d crash points, of which %d left the step between its beginning and its end", points, half)
			}
		})
	}
}

func crashInOnce(t *testing.T, uses string, of []string, at int, after bool, half *int) (what string) {
	w := newWorld(1)
	crash := newCrasher(at, after)
	all, stop := w.replicas(t, crash)
	j := chain(1, step(uses, "x"))
	j.ID = "once"
	accepted := true
	if _, err := all[0].Enqueue(t.Context(), j); err != nil {
		accepted = false
	}
	for deadline := time.Now().Add(time.Hour); accepted && !crash.isDead() && !w.idle() && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	next, stop := w.replicas(t, nil)
	defer stop()
	again := chain(1, step(uses, "x"))
	again.ID = "once"
	enqueue(t, next[0], again)
	got, err := next[0].Wait(t.Context(), "once")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range of {
		n := w.srv.seen().ran[name]
		if n > 1 || got.State == Succeeded && n != 1 || got.State != Succeeded && got.State != Unknown {
			t.Errorf("crash at %d (%s), after it %t: %s ran %d times, the job is %s", at, crash.fatal(), after, name, n, got.State)
		}
	}
	if got.State == Unknown {
		*half++
	}
	return crash.fatal()
}
