package cbc

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
)

// listOfCommands is the request that looks what came of another one.
const listOfCommands = "GET /appservices/v6/orgs/{org}/liveresponse/sessions/{sid}/commands"

// TestCommandZeroIsACommand: ids of commands begin at 0 in this product. An answer with
// that id is one, and nobody has to look for the command.
func TestCommandZeroIsACommand(t *testing.T) {
	t.Parallel()
	c, sim := simulated(t, edrsim.Config{})
	s := session(t, c)
	var after, submitted, finished []int64
	ctx := edr.WithTrace(t.Context(), &edr.Trace{
		Submitting: func(_ context.Context, _, _, _ string, last int64) error { after = append(after, last); return nil },
		Submitted:  func(_ context.Context, cmd edr.Command) { submitted = append(submitted, cmd.ID) },
		Finished:   func(_ context.Context, cmd edr.Command) { finished = append(finished, cmd.ID) },
	})
	for range 2 {
		if _, err := s.Processes(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range map[string][]int64{"after": after, "submitted": submitted, "finished": finished} {
		want := []int64{0, 1}
		if name == "after" {
			want = []int64{edr.NoCommand, 0}
		}
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s %d, want %d", name, got, want)
		}
	}
	if n := sim.Counters(); n.Requests[listOfCommands] != 0 || n.Commands != 2 {
		t.Errorf("commands were listed %d times and %d were sent, want 0 and 2", n.Requests[listOfCommands], n.Commands)
	}
	if cmd, err := s.Command(t.Context(), 0, true); err != nil || cmd.ID != 0 || cmd.Name != cmdProcesses {
		t.Errorf("Command(0) = %+v, %v", cmd, err)
	}
}

// TestALostFirstCommandIsFound: the first command of a session has id 0, which comes after
// none.
func TestALostFirstCommandIsFound(t *testing.T) {
	t.Parallel()
	c, sim := simulated(t, edrsim.Config{})
	s := session(t, c)
	sim.FailNext("lost-answer", "POST", "/commands")
	if err := s.MakeDir(t.Context(), `c:\once`); err != nil {
		t.Fatal(err)
	}
	if n := sim.Counters(); n.Commands != 1 || n.Requests[listOfCommands] == 0 {
		t.Errorf("%d commands were sent, and listed %d times", n.Commands, n.Requests[listOfCommands])
	}
}

// TestAnAnswerWithoutACommandIsNone: what names no id, or another command, is not taken for
// the command's record.
func TestAnAnswerWithoutACommandIsNone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"no id":           `{"name":"create directory","status":"COMPLETE"}`,
		"null":            `{"id":null,"name":"create directory","status":"COMPLETE"}`,
		"another command": `{"id":0,"name":"process list","status":"COMPLETE"}`,
		"nothing":         `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `[]`
				if r.Method == http.MethodPost {
					body = answer
				}
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(srv.Close)
			c, err := New(Config{URL: srv.URL, OrgKey: "A1B2C3D4", Token: testToken, Tries: 2, Backoff: 1, Settle: 1, Limiter: NewLimiter(1e6, 1e6)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.CloseIdle)
			s := newSession(c, sessionJSON{ID: "1:42", Status: "ACTIVE", Commands: list[text]{cmdMakeDir}}, deviceJSON{})
			if err := s.MakeDir(t.Context(), `c:\once`); !errors.Is(err, edr.ErrServer) {
				t.Errorf("MakeDir = %v, want %v", err, edr.ErrServer)
			}
		})
	}
}
