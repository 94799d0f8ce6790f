package service

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

var manyJobs = flag.Int("many-jobs", 2_000, "live jobs in TestListsOfManyAreShort")

// TestListsOfManyAreShort fills the service with sensors and jobs and asks what
// the dashboard asks. With -v -many-jobs=100000 it tells how long each took.
func TestListsOfManyAreShort(t *testing.T) {
	const sensors = 10_000
	sim := edrsim.New(edrsim.Config{Sensors: sensors}).Start()
	t.Cleanup(sim.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{"token": sim.Token, "rules.yaml": "rules:\n  - id: r\n    title: none\n    on: registry\n    when: reg.path == \"x\"\n    steps:\n      - uses: list_processes\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config.Default()
	cfg.Data, cfg.Rules = filepath.Join(dir, "data"), []string{filepath.Join(dir, "rules.yaml")}
	cfg.EDR.URL, cfg.EDR.Token, cfg.Web.Listen, cfg.Bus.Sync = sim.URL, filepath.Join(dir, "token"), "", time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := Open(ctx, cfg, "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	c := s.console
	if err := c.Stop(ctx, web.User{Name: "ada"}, web.Switching{Why: "to let them queue"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	fill(ctx, t, s, sensors)
	for name, ask := range map[string]func() (int, error){
		"jobs": func() (int, error) {
			l, err := c.Jobs(ctx, web.JobQuery{State: "live", Limit: 200})
			return len(l.Jobs), err
		},
		"sensors": func() (int, error) { p, err := c.Sensors(ctx, web.SensorQuery{Limit: 100}); return len(p.Sensors), err },
		"next page": func() (int, error) {
			p, err := c.Sensors(ctx, web.SensorQuery{Limit: 100, Offset: 5000})
			return len(p.Sensors), err
		},
		"overview": func() (int, error) { o, err := c.Overview(ctx, 1); return len(o.Slots.Claims), err },
		"of a sensor": func() (int, error) {
			l, err := c.Jobs(ctx, web.JobQuery{State: "live", Sensor: "7", Limit: 200})
			return len(l.Jobs), err
		},
	} {
		began := time.Now()
		n, err := ask()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n > 200 {
			t.Errorf("%s: a list of %d", name, n)
		}
		t.Logf("%-12s %4d entries in %v", name, n, time.Since(began).Round(100*time.Microsecond))
	}
	if p, err := c.Sensors(ctx, web.SensorQuery{Limit: 100}); err != nil || p.Total != sensors || len(p.Sensors) == 0 || p.Sensors[0].Queue == 0 {
		t.Errorf("first page: total %d, %d sensors, the first without a job or missing: %v %v", p.Total, len(p.Sensors), p.Problems, err)
	}
}

// fill queues jobs on all sensors in turn.
func fill(ctx context.Context, t *testing.T, s *Service, sensors int) {
	t.Helper()
	const batch = 500
	for n := 0; n < *manyJobs; n += batch {
		list := make([]*jobs.Job, batch)
		for i := range list {
			list[i] = &jobs.Job{Submitter: "ada", Endpoint: edr.Endpoint{ID: fmt.Sprint(1 + (n+i)%sensors)}, Steps: []actions.Step{{ID: "a", Uses: "list_processes"}}, Vars: map[string]any{"n": fmt.Sprint(n + i)}}
		}
		if _, err := s.fleet.Enqueue(ctx, list...); err != nil {
			t.Fatal(err)
		}
	}
}
