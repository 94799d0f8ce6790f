package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/config"
	"edrpipe/internal/looseid"
	"edrpipe/internal/service"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edrsim"
)

// running is a service on a simulated EDR server.
type running struct {
	*apiclient.Client                   // as admin, who uses the pages
	kim               *apiclient.Client // asks for what admin is to approve
	dir               string
}

func startRunning(t *testing.T) running {
	t.Helper()
	sim := edrsim.New(edrsim.Config{TimeScale: 100, Fleet: []edrsim.SensorSpec{
		{Hostname: "WS-ONE", OS: "windows", Files: []edrsim.FileSpec{{Path: `c:\temp\x.exe`, Content: "collected\n"}}},
		{Hostname: hostile, OS: "windows"},
	}}).Start()
	t.Cleanup(sim.Close)
	return startOn(t, sim, "rules:\n  - id: never-matches\n    title: \""+strings.ReplaceAll(hostile, `"`, `\"`)+"\"\n    on: registry\n    when: reg.path == \"nothing\"\n    steps:\n      - uses: list_processes\n")
}

// startOn is a service on that server, with these rules.
func startOn(t *testing.T, sim *edrsim.Server, rules string) running {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	cfg := config.Default()
	cfg.Data = filepath.Join(dir, "data")
	cfg.Rules = []string{write("rule.yaml", rules)}
	cfg.Bus.Sync = time.Minute
	cfg.EDR.Name, cfg.EDR.URL, cfg.EDR.Token, cfg.EDR.SensorPoll = "sim", sim.URL, write("edr.token", sim.Token), 200*time.Millisecond
	cfg.Sources.HTTP.Enabled, cfg.Sources.HTTP.Token = true, write("ingest.token", "s3cret")
	cfg.Web.Listen = "127.0.0.1:0"
	admin, kim := web.NewToken(), web.NewToken()
	cfg.Web.Users = write("users.yaml", fmt.Sprintf("users:\n  - { name: admin, role: admin, token_hash: %s }\n  - { name: kim, role: admin, token_hash: %s }\n", web.HashToken(admin), web.HashToken(kim)))
	log := &kept{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of the service:\n%s", log)
		}
	})
	s, err := service.Open(context.Background(), cfg, "test", zerolog.New(log).Level(zerolog.InfoLevel))
	if err != nil {
		t.Fatalf("open the service: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx); stop() }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run the service: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close the service: %v", err)
		}
	})
	untilItReads(t, ctx, s.URL())
	return running{&apiclient.Client{Server: s.URL(), Token: admin}, &apiclient.Client{Server: s.URL(), Token: kim}, dir}
}

// untilItReads returns when the service takes events: until its source is read, it
// answers a post with 503. It ends with the cause when the service does before.
func untilItReads(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for said := "no answer yet"; ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/ingest", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer s3cret")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("wait until the service takes events: %v; before: %s", err, said)
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, 1000))
		if err = errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if said = fmt.Sprintf("%s: %s", res.Status, body); res.StatusCode != http.StatusServiceUnavailable {
			return
		}
	}
}

// kept is the end of a log, for the message of a failure.
type kept struct {
	mu   sync.Mutex
	tail []byte
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tail = append(k.tail, p...)
	k.tail = k.tail[max(0, len(k.tail)-16<<10):]
	return len(p), nil
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return string(k.tail)
}

// submit submits a job as kim.
func (r running) submit(t *testing.T, sensor int, steps ...actions.Step) string {
	t.Helper()
	var j web.JobLine
	if err := r.kim.Post(t.Context(), "jobs", web.Submission{Sensor: looseid.ID(looseid.Text(sensor)), Steps: steps}, &j); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

// answer denies a job that asks.
func (r running) answer(t *testing.T, job string) {
	t.Helper()
	var page web.JobPage
	if err := r.Get(t.Context(), "jobs/"+job, nil, &page); err != nil {
		t.Fatal(err)
	}
	if err := r.Post(t.Context(), "jobs/"+job+"/answer", web.Answer{Step: page.Job.Steps[0].ID}, &page); err != nil {
		t.Fatal(err)
	}
}
