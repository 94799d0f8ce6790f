package jobs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
)

// TestATokenThatIsRefusedUnderWay: a job whose server refuses the token meanwhile waits,
// and goes on where it was; what the server has taken is not sent again. The same holds
// where the server takes no requests for their rate.
func TestATokenThatIsRefusedUnderWay(t *testing.T) {
	t.Parallel()
	for _, uses := range []string{"test_run", "test_read"} {
		for when, refused := range map[string]error{
			"command": fmt.Errorf("POST command: %w", edr.ErrTokenRefused), "result": fmt.Errorf("GET command: %w", edr.ErrTokenRefused),
			"command ": fmt.Errorf("POST command: %w", edr.ErrThrottled), "result ": fmt.Errorf("GET command: %w", edr.ErrThrottled),
		} {
			t.Run(uses+" "+when+fmt.Sprint(errors.Is(refused, edr.ErrThrottled)), func(t *testing.T) {
				t.Parallel()
				scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
					valid := time.Now().Add(5 * time.Minute)
					check := func(request string) error {
						if request == strings.TrimSpace(when) && time.Now().Before(valid) {
							return refused
						}
						return nil
					}
					srv.fail = func(request string, _ int) error { return check(request) }
					srv.refuse = check
					j := chain(1, step(uses, "x"))
					enqueue(t, s, j)
					time.Sleep(4 * time.Minute)
					x, err := s.Explain(t.Context(), j.ID)
					if err != nil {
						t.Fatal(err)
					}
					if x.Job.State.Terminal() && x.Job.State != Succeeded { // the list of commands has the outcome as well
						t.Fatalf("while the token is refused the job is %s: %s", x.Job.State, x.Job.Detail)
					}
					time.Sleep(2 * time.Minute)
					wantEnd(t, s, j.ID, Succeeded)
					if n := srv.seen().ran["1 create process x"]; uses == "test_run" && n != 1 {
						t.Errorf("the command ran %d times", n)
					}
				})
			})
		}
	}
}

// TestAMissingRight is no matter of time: the step fails.
func TestAMissingRight(t *testing.T) {
	t.Parallel()
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		srv.fail = func(request string, _ int) error {
			if request == "command" {
				return edr.ErrUnauthorized
			}
			return nil
		}
		j := chain(1, step("test_run", "x"))
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Failed)
		if !errors.Is(edr.ErrTokenRefused, edr.ErrUnauthorized) || errors.Is(edr.ErrUnauthorized, edr.ErrTokenRefused) {
			t.Error("a refused token is a lack of rights, and not the reverse")
		}
	})
}
