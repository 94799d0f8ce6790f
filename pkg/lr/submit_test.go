package lr

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"edrpipe/pkg/edr"
)

// TestCommandWithoutAnswer holds the promise that a command that changes the
// endpoint is run once or reported as unknown.
func TestCommandWithoutAnswer(t *testing.T) {
	take := func(f *fake, body []byte) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.add(1, body)
	}
	tests := map[string]struct {
		answer   func(f *fake, w http.ResponseWriter, body []byte)
		kill, ps error // what the two return
		ran      int   // how often each was taken by the server, if it succeeded
	}{
		"taken, then 500": {
			answer: func(f *fake, w http.ResponseWriter, b []byte) { take(f, b); w.WriteHeader(500) }, ran: 1,
		},
		"taken, then 504 of the proxy": {
			answer: func(f *fake, w http.ResponseWriter, b []byte) { take(f, b); w.WriteHeader(504) }, ran: 1,
		},
		"taken, connection dropped": {
			answer: func(f *fake, w http.ResponseWriter, b []byte) { take(f, b); drop(w) }, ran: 1,
		},
		"taken, answer cut short": {
			answer: func(f *fake, w http.ResponseWriter, b []byte) {
				take(f, b)
				truncated(w, []byte(`{"id":1,"name":"kill"}`), 5)
			}, ran: 1,
		},
		"taken, answer about something else": {
			answer: func(f *fake, w http.ResponseWriter, b []byte) {
				take(f, b)
				write(w, object{"id": 9, "name": "memdump"})
			}, ran: 1,
		},
		"not taken, 500": {
			answer: func(_ *fake, w http.ResponseWriter, _ []byte) { w.WriteHeader(500) }, ran: 1,
		},
		"not taken, 502": {
			answer: func(_ *fake, w http.ResponseWriter, _ []byte) { w.WriteHeader(502) }, ran: 1,
		},
		"never seen, connection dropped": {
			answer: func(_ *fake, w http.ResponseWriter, _ []byte) { drop(w) }, kill: edr.ErrAmbiguous, ran: 1,
		},
		"never seen, 504 of the proxy": {
			answer: func(_ *fake, w http.ResponseWriter, _ []byte) { w.WriteHeader(504) }, kill: edr.ErrAmbiguous, ran: 1,
		},
		"taken only after the proxy gave up": {
			answer: func(f *fake, w http.ResponseWriter, b []byte) {
				w.WriteHeader(504)
				time.AfterFunc(10*time.Millisecond, func() { take(f, b) })
			}, ran: 1,
		},
		"refused": {
			answer: func(_ *fake, w http.ResponseWriter, _ []byte) { w.WriteHeader(403) }, kill: edr.ErrUnauthorized, ps: edr.ErrUnauthorized,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"kill", "process list"} {
				f := newFake(t)
				s := f.session(t, f.client(t))
				f.hook = first("POST", "/command", func(f *fake, w http.ResponseWriter, _ *http.Request, b []byte) { tt.answer(f, w, b) })
				err, want := error(nil), tt.kill
				if command == "kill" {
					err = s.Kill(t.Context(), 4242)
				} else {
					_, err = s.Processes(t.Context())
					want = tt.ps
				}
				if !errors.Is(err, want) {
					t.Errorf("%s: got %v, want %v", command, err, want)
				}
				f.mu.Lock()
				if got := len(f.commands[1]); err == nil && got != tt.ran || got > 1 {
					t.Errorf("%s: taken %d times, want %d", command, got, tt.ran)
				}
				f.mu.Unlock()
			}
		})
	}
}

func TestTraceSeesEveryRequestAndEnd(t *testing.T) {
	f := newFake(t)
	s := f.session(t, f.client(t))
	f.hook = first("POST", "/command", func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(500) })
	var seen []any
	ctx := edr.WithTrace(t.Context(), &edr.Trace{
		Submitting: func(_ context.Context, name, object, session string, after int64) error {
			seen = append(seen, name+" "+object, session, after)
			return nil
		},
		Submitted: func(_ context.Context, c edr.Command) { seen = append(seen, "submitted", c.ID, c.Status) },
		Finished:  func(_ context.Context, c edr.Command) { seen = append(seen, "finished", c.ID, c.Status) },
	})
	if err := s.Kill(ctx, 7); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteFile(ctx, `c:\x`); err != nil {
		t.Fatal(err)
	}
	want := []any{
		"kill 7", "1", edr.NoCommand, "kill 7", "1", edr.NoCommand,
		"submitted", int64(1), edr.CommandPending, "finished", int64(1), edr.CommandComplete,
		`delete file c:\x`, "1", int64(1),
		"submitted", int64(2), edr.CommandPending, "finished", int64(2), edr.CommandComplete,
	}
	same(t, seen, want)
}

func TestTraceStopsACommand(t *testing.T) {
	f := newFake(t)
	s := f.session(t, f.client(t))
	stop := errors.New("stop switch")
	ctx := edr.WithTrace(t.Context(), &edr.Trace{
		Submitting: func(context.Context, string, string, string, int64) error { return stop },
	})
	if err := s.Kill(ctx, 7); !errors.Is(err, stop) {
		t.Errorf("Kill = %v, want %v", err, stop)
	}
	if n := f.count("POST " + sessionPath + "/1/command"); n != 0 {
		t.Errorf("%d requests left", n)
	}
}

func TestJoinedSessionKnowsItsHistory(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	if err := f.session(t, c).Kill(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s, err := c.Join(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	var after int64
	ctx := edr.WithTrace(t.Context(), &edr.Trace{Submitting: func(_ context.Context, _, _, _ string, a int64) error { after = a; return nil }})
	if err := s.Kill(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if after != 1 {
		t.Errorf("after = %d, want 1: the earlier kill would be taken for ours", after)
	}
	if err := s.Close(t.Context()); err != nil || f.sessions[0]["status"] != "active" {
		t.Errorf("closing a joined session: %v, it is %v", err, f.sessions[0]["status"])
	}
}

// TestEarlierTwinIsNotTaken: the same command ran before; the one that got no
// answer is another.
func TestEarlierTwinIsNotTaken(t *testing.T) {
	f := newFake(t)
	s := f.session(t, f.client(t))
	if err := s.Kill(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	f.hook = first("POST", "/command", func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(500) })
	if err := s.Kill(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if n := len(f.commands[1]); n != 2 {
		t.Errorf("%d kills were taken, want 2", n)
	}
}
