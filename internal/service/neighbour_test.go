//go:build chaos

package service

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// neighbourBound is how much longer the slowest hundredth of a server's jobs may take
// beside a server that fails.
const neighbourBound = 1.2

// TestNeighbour measures how long the jobs of a server take while another one of the same
// service fails, against the same while that one is healthy and has no jobs. Rounds of
// both take turns, ROUNDS (8) of each, the first of each pair by turns too: what else the
// machine does falls on both. A round is 60 jobs on 30 endpoints, from record to end. It
// begins when the other server begins to fail: what is tried there before that is known
// is part of the measurement. Where the bound is not kept the rounds go on, and all count,
// to three times as many: of few jobs the slowest hundredth is chance.
func TestNeighbour(t *testing.T) {
	rounds := 8
	if text := os.Getenv("ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("ROUNDS: %q", text)
		}
		rounds = n
	}
	t.Log("| the other server | jobs each | healthy, p50 | p99 | failing, p50 | p99 | p99 ÷ p99 |")
	for _, mode := range []string{"dead", "hanging", "401", "500", "expired certificate"} {
		t.Run(mode, func(t *testing.T) {
			n := newNeighbours(t)
			var alone, beside []time.Duration
			for done := 0; ; {
				for range rounds {
					if done%2 == 0 {
						alone = append(alone, n.round()...)
						beside = append(beside, n.besideFailing(mode)...)
					} else {
						beside = append(beside, n.besideFailing(mode)...)
						alone = append(alone, n.round()...)
					}
					done++
				}
				a, b := quantileOf(alone, 99), quantileOf(beside, 99)
				ratio := b.Seconds() / a.Seconds()
				if ratio > neighbourBound && done < 3*rounds {
					continue
				}
				t.Logf("| %s | %d | %v | %v | %v | %v | %.2f |", mode, len(alone), quantileOf(alone, 50), a, quantileOf(beside, 50), b, ratio)
				if ratio > neighbourBound {
					t.Errorf("beside a server that is %s p99 is %.2f times that of alone, want at most %.1f", mode, ratio, neighbourBound)
				}
				return
			}
		})
	}
}

// besideFailing is a round while the other server fails and has jobs that wait.
func (n neighbours) besideFailing(mode string) []time.Duration {
	n.t.Helper()
	n.door.set(mode)
	waiting := n.submit("hq", 20)
	took := n.round()
	n.door.set("")
	for _, id := range waiting { // however: one that ran when the door closed may fail
		await(n.t, 2*time.Minute, "job "+id, func() bool { return n.state(id).Terminal() })
	}
	return took
}

// neighbours is a service with two servers, the one of them behind a door.
type neighbours struct {
	running
	door *door
}

func newNeighbours(t *testing.T) neighbours {
	sims := map[string]*edrsim.Server{"hq": fleetOf(t, 30), "branch": fleetOf(t, 30)}
	d := newDoor(t, sims["hq"])
	p := newServersPlace(t, sims, listProcesses, nil, "")
	p.write("ca.pem", d.authors)
	p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), fmt.Sprintf("name: hq, url: %q", sims["hq"].URL), fmt.Sprintf("name: hq, url: %q, ca: %s/ca.pem", d.URL, p.dir), 1))
	n := neighbours{p.run(), d}
	await(t, 20*time.Second, "both servers work", func() bool {
		return n.check("edr/hq").State == health.OK && n.check("edr/branch").State == health.OK
	})
	return n
}

// submit submits jobs on the endpoints of a server in turn.
func (n neighbours) submit(server string, count int) (ids []string) {
	for i := range count {
		ids = append(ids, n.ask(fmt.Sprintf("%s/%d", server, 1+i%30), "list_processes"))
	}
	return ids
}

// round is how long each of 60 jobs took.
func (n neighbours) round() []time.Duration { return n.ended(n.submit("branch", 60)) }

// ended waits for jobs and returns how long each took from its record to its end.
func (n neighbours) ended(ids []string) (took []time.Duration) {
	n.t.Helper()
	for _, id := range ids {
		await(n.t, 2*time.Minute, "job "+id, func() bool { return n.state(id).Terminal() })
		j, err := n.fleet.Get(n.t.Context(), id)
		if err != nil || j.State != jobs.Succeeded {
			n.t.Fatalf("job %s is %s: %s (%v)", id, j.State, j.Detail, err)
		}
		took = append(took, j.Ended.Sub(j.Created))
	}
	return took
}

func quantileOf(all []time.Duration, q int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)*q/100, len(sorted)-1)].Round(100 * time.Microsecond)
}
