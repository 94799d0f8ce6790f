package cbc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/fleet"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// served is a simulated organisation with all that a service does on it: the
// scheduler, the check of its health, and the reading of its devices.
type served struct {
	client *Client
	sim    *edrsim.Server
	member *fleet.Member
	sent   *requests
}

// serve runs it until the test ends.
func serve(t *testing.T, cfg edrsim.Config) served {
	t.Helper()
	c, sim, sent := virtual(t, cfg, nil)
	log := zerolog.Nop()
	m := fleet.NewMember(c.Name(), "", []string{c.OrgKey()}, c, directory.New(directory.Config{Server: c, Log: log}))
	store := new(jobs.Memory)
	var err error
	if m.Scheduler, err = jobs.New(jobs.Config{Server: c, Store: store, Owner: "test", Sessions: c.cfg.SessionLimit, Idle: KeepIdle, Down: m.Down, Log: log}); err != nil {
		t.Fatal(err)
	}
	f, err := fleet.New(fleet.Config{Members: []*fleet.Member{m}, Store: store, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	go func() { f.Watch(ctx); ended <- nil }()
	go func() { f.ReadDirectories(ctx); ended <- nil }()
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, <-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
	return served{c, sim, m, sent}
}

// enqueue makes a job of so many commands on a device.
func (s served) enqueue(t *testing.T, device, commands int) string {
	t.Helper()
	j := &jobs.Job{Endpoint: edr.Endpoint{Server: s.client.Name(), ID: fmt.Sprint(6231047 + device)}, Submitter: "test"}
	for range commands {
		j.Steps = append(j.Steps, actions.Step{Uses: "list_processes"})
	}
	if _, err := s.member.Scheduler.Enqueue(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

// await waits for jobs to succeed.
func (s served) await(t *testing.T, ids []string) {
	t.Helper()
	for _, id := range ids {
		j, err := s.member.Scheduler.Wait(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if j.State != jobs.Succeeded {
			t.Fatalf("job on %s ended as %s (%s: %s)", j.Endpoint, j.State, j.Reason, j.Detail)
		}
	}
}

// TestSchedulerStaysWithinTheRate: a hundred devices have a job of five commands each.
// The product's example of a limit is 1,000 requests in five minutes; the work takes as
// long as the client's rate makes it take, with the requests of the service beside it.
func TestSchedulerStaysWithinTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const devices, commands = 100, 5
		s := serve(t, edrsim.Config{
			CheckIn: 2 * time.Second, Fleet: []edrsim.SensorSpec{{Count: devices}}, Slots: 100, Quirks: edrsim.Quirks{"rate": "1000/5m"},
		})
		start := time.Now()
		var ids []string
		for i := range devices {
			ids = append(ids, s.enqueue(t, i, commands))
		}
		s.await(t, ids)
		took := time.Since(start)
		// One device, one list, one opening, one look, a command and a look at it each, one
		// closing.
		const least = devices * (4 + 2*commands + 1)
		permitted := time.Duration(float64(least-DefaultBurst) / DefaultRate * float64(time.Second))
		if took > permitted*12/10 {
			t.Errorf("took %v; the rate permits %d requests in %v", took, least, permitted)
		}
		most := s.sent.most(5 * time.Minute)
		if most >= 1000 {
			t.Errorf("%d requests within 5 minutes", most)
		}
		n := s.sim.Counters()
		if n.Sessions.Opened != devices || n.Duplicates != 0 || n.Commands != devices*commands {
			t.Errorf("%d sessions were opened and %d commands sent, want %d and %d", n.Sessions.Opened, n.Commands, devices, devices*commands)
		}
		if s.client.Limiter().PausedUntil().After(start) {
			t.Error("the server refused requests for their rate")
		}
		t.Logf("%d requests in %v, at most %d in 5 minutes; the rate permits the least of %d in %v", s.sent.all(), took, most, least, permitted)
		time.Sleep(KeepIdle + time.Minute)
		if n := s.sim.Counters().Sessions.Open; n != 0 {
			t.Errorf("%d sessions are kept without work", n)
		}
	})
}

// TestAJobOfOneCommandThroughTheScheduler: what it sends, with the closing of its session.
// Lists of sessions beyond the one before its own are the service's, at any number of jobs:
// the check of the server and the count of other clients' sessions.
func TestAJobOfOneCommandThroughTheScheduler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const lists = "GET /appservices/v6/orgs/{org}/liveresponse/sessions"
		s := serve(t, edrsim.Config{CheckIn: 2 * time.Second, Sensors: 1})
		time.Sleep(time.Minute) // the directory has been read
		all, listed, begun := s.sent.all(), s.sim.Counters().Requests[lists], time.Now()
		s.await(t, []string{s.enqueue(t, 0, 1)})
		for s.sim.Counters().Sessions.Open > 0 {
			time.Sleep(time.Second)
		}
		took, others := time.Since(begun), int(s.sim.Counters().Requests[lists]-listed-1)
		if n := s.sent.all() - all - others; n > 8 {
			t.Errorf("the job took %d requests, want at most 8: %v", n, s.sim.Counters().Requests)
		}
		if most := int(took/(10*time.Second)) + 1; others > most {
			t.Errorf("the service listed sessions %d times in %v, want at most %d times", others, took, most)
		}
	})
}

// TestHealthUnderLoad: the check of a server whose requests wait for their turn finds
// that it works, and containment goes before commands.
func TestHealthUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := edrsim.Latency{Min: 10 * time.Minute, Max: 11 * time.Minute}
		s := serve(t, edrsim.Config{
			CheckIn: 2 * time.Second, Slots: 100, Fleet: []edrsim.SensorSpec{{Count: 80, Commands: map[string]edrsim.Latency{"process list": slow}}},
		})
		for i := range 80 {
			s.enqueue(t, i, 2)
		}
		time.Sleep(8 * time.Minute)
		for range 20 {
			if down, st := s.member.Down(), s.member.Status(); down != "" || st.Trouble != "" {
				t.Fatalf("the server works, and counts as %s: %s", st.Trouble, st.Evidence)
			}
			time.Sleep(5 * time.Second)
		}
		begun := time.Now()
		if err := s.client.SetIsolation(t.Context(), "6231047", true); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("quarantine of a device waited %v behind commands", took)
		}
	})
}

// TestJobsWaitWhileTheHostTakesNoRequests: a pause longer than a step may take costs no
// attempt, and the state of the server says why nothing begins.
func TestJobsWaitWhileTheHostTakesNoRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, edrsim.Config{CheckIn: 2 * time.Second, Fleet: []edrsim.SensorSpec{{Count: 3}}})
		first := s.enqueue(t, 0, 8)
		time.Sleep(20 * time.Second) // it is under way
		s.client.Limiter().Pause(time.Now().Add(50 * time.Minute))
		second := s.enqueue(t, 1, 1)
		time.Sleep(30 * time.Minute)
		st := s.member.Status()
		if st.Trouble != fleet.RateLimited || !strings.Contains(s.member.Down(), "no request is sent before") {
			t.Errorf("status %+v, down %q", st, s.member.Down())
		}
		x, err := s.member.Scheduler.Explain(t.Context(), second)
		if err != nil {
			t.Fatal(err)
		}
		if x.Reason != jobs.ReasonServer || !strings.Contains(x.Detail, string(fleet.RateLimited)) {
			t.Errorf("the job waits for %s: %s", x.Reason, x.Detail)
		}
		s.await(t, []string{first, second})
		for _, id := range []string{first, second} {
			j, err := s.member.Scheduler.Wait(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			for _, done := range j.Done {
				if done.Attempts != 1 {
					t.Errorf("step took %d attempts", done.Attempts)
				}
			}
		}
		if n := s.sim.Counters().Duplicates; n != 0 {
			t.Errorf("%d commands ran twice", n)
		}
	})
}
