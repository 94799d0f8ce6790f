package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/config"
	"edrpipe/internal/pace"
	"edrpipe/internal/service"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
)

const scriptRule = `rules:
  - id: never-matches
    title: A rule for completion
    on: registry
    when: reg.path == "nothing is called so"
    steps:
      - uses: list_processes
`

// startService is the script command "service": a service on a simulated EDR
// server of two sensors, whose address and admin token are in the environment, and in
// service/pipeline.yaml and service/admin.token.
// VIEWER_TOKEN is a token that may only look. "service GUARDS" gives it a guards file.
func startService(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs("service")
	ts.Check(os.MkdirAll(filepath.Join(dir, "rules"), 0o700))
	ts.Check(os.WriteFile(filepath.Join(dir, "rules", "rule.yaml"), []byte(scriptRule), 0o600))
	hostile := edrsim.FileSpec{Path: `c:\temp\x.exe`, Content: "collected\n"}
	sim := edrsim.New(edrsim.Config{TimeScale: 100, Fleet: []edrsim.SensorSpec{
		{Hostname: "WS-ONE", OS: "windows", Files: []edrsim.FileSpec{hostile}},
		{Hostname: "WS-TWO", OS: "windows"},
	}}).Start()
	ts.Defer(sim.Close)
	ts.Check(os.WriteFile(filepath.Join(dir, "edr.token"), []byte(sim.Token), 0o600))

	viewer, approver, admin := web.NewToken(), web.NewToken(), web.NewToken()
	users := &web.Users{List: []web.User{
		{Name: "ada", Role: web.Admin, Groups: []string{"soc-leads"}, Token: web.HashToken(admin)},
		{Name: "bea", Role: web.Approver, Groups: []string{"soc-leads"}, Token: web.HashToken(approver)},
		{Name: "vera", Role: web.Viewer, Token: web.HashToken(viewer)},
	}}
	ts.Check(users.Save(filepath.Join(dir, "users.yaml")))

	cfg := config.Default()
	cfg.Data, cfg.Rules = filepath.Join(dir, "data"), []string{filepath.Join(dir, "rules")}
	cfg.Bus.Sync = time.Minute
	if len(args) > 0 {
		cfg.Guards = ts.MkAbs(args[0])
	}
	cfg.EDR.Name, cfg.EDR.URL, cfg.EDR.Token, cfg.EDR.SensorPoll = "sim", sim.URL, filepath.Join(dir, "edr.token"), 200*time.Millisecond
	ingest := filepath.Join(dir, "ingest.token")
	ts.Check(os.WriteFile(ingest, []byte("s3cret\n"), 0o600))
	cfg.Sources.HTTP.Enabled, cfg.Sources.HTTP.Token = true, ingest
	cfg.Web.Listen, cfg.Web.Users = "127.0.0.1:0", filepath.Join(dir, "users.yaml")
	url, stop, err := openService(cfg)
	ts.Check(err)
	ts.Defer(func() { ts.Check(stop()) })
	file := fmt.Sprintf("data: %s\nweb: { listen: %q, users_file: %s }\n", cfg.Data, strings.TrimPrefix(url, "http://"), cfg.Web.Users)
	ts.Check(os.WriteFile(filepath.Join(dir, "pipeline.yaml"), []byte(file), 0o600))
	ts.Check(os.WriteFile(filepath.Join(dir, "admin.token"), []byte(admin+"\n"), 0o600))
	ts.Setenv("EDRPIPE_URL", url)
	ts.Setenv("EDRPIPE_TOKEN", admin)
	ts.Setenv("APPROVER_TOKEN", approver)
	ts.Setenv("VIEWER_TOKEN", viewer)
}

// openService runs a service in this process and returns when it reads events; stop ends it.
func openService(cfg config.Config) (url string, stop func() error, err error) {
	s, err := service.Open(context.Background(), cfg, "test", zerolog.Nop())
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = func() error {
		cancel()
		return errors.Join(<-ended, s.Close())
	}
	if err := untilReady(s.URL()); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return s.URL(), stop, nil
}

// untilReady returns when the service at the address reads events: before that it
// answers a post with 503.
func untilReady(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("the service at %s is not ready: %w", url, err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode == http.StatusOK {
			return err
		}
	}
}

// capture is the script command "capture NAME": it keeps the first word of the
// last command's output in the environment.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	words := strings.Fields(ts.ReadFile("stdout"))
	if len(args) != 1 || len(words) == 0 {
		ts.Fatalf("usage: capture NAME, after a command that prints something")
	}
	ts.Setenv(args[0], words[0])
}

// ingestFile is the script command "ingest FILE NAME": it posts the file to the service
// and keeps the id of its first event in the environment.
func ingestFile(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: ingest FILE NAME")
	}
	req, err := http.NewRequest(http.MethodPost, ts.Getenv("EDRPIPE_URL")+"/v1/ingest", strings.NewReader(strings.ReplaceAll(ts.ReadFile(args[0]), "NOW", fmt.Sprint(time.Now().Unix()))))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer s3cret")
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer func() { ts.Check(res.Body.Close()) }()
	var answer struct{ IDs []string }
	ts.Check(json.NewDecoder(res.Body).Decode(&answer))
	if res.StatusCode != http.StatusOK || len(answer.IDs) == 0 {
		ts.Fatalf("answered %s, %+v", res.Status, answer)
	}
	ts.Setenv(args[1], answer.IDs[0])
}

// waitDeclined is the script command "waitdeclined N": it returns when that many matches
// have made no job.
func waitDeclined(ts *testscript.TestScript, _ bool, args []string) {
	c := &apiclient.Client{Server: ts.Getenv("EDRPIPE_URL"), Token: ts.Getenv("EDRPIPE_TOKEN")}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for matches := 0; fmt.Sprint(matches) != args[0]; ts.Check(pace.Sleep(ctx, 50*time.Millisecond)) {
		var all []web.Declined
		ts.Check(c.Get(ctx, "decisions", nil, &all))
		matches = 0
		for _, d := range all {
			matches += d.Matches
		}
	}
}

// until is the script command "until REGEXP command...": it runs the command until its
// output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP command args...")
	}
	wanted := regexp.MustCompile(args[0])
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ts.Check(ts.Exec(args[1], args[2:]...)); !wanted.MatchString(ts.ReadFile("stdout")); ts.Check(ts.Exec(args[1], args[2:]...)) {
		ts.Check(pace.Sleep(ctx, 100*time.Millisecond))
	}
}

// waitDead is the script command "waitdead N": it returns when the service in the
// environment keeps that many dead letters, and puts the newest's number in $DEAD.
func waitDead(ts *testscript.TestScript, _ bool, args []string) {
	c := &apiclient.Client{Server: ts.Getenv("EDRPIPE_URL"), Token: ts.Getenv("EDRPIPE_TOKEN")}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		var p web.DeadPage
		ts.Check(c.Get(ctx, "dead", nil, &p))
		if fmt.Sprint(p.Total) != args[0] {
			ts.Logf("%d dead letters so far", p.Total)
			ts.Check(pace.Sleep(ctx, 100*time.Millisecond))
			continue
		}
		if p.Total > 0 {
			ts.Setenv("DEAD", fmt.Sprint(p.Letters[0].Sequence))
		}
		return
	}
}

// waitState is the script command "waitstate JOB STATE": it returns when the job
// of the service in the environment is in the state.
func waitState(ts *testscript.TestScript, _ bool, args []string) {
	c := &apiclient.Client{Server: ts.Getenv("EDRPIPE_URL"), Token: ts.Getenv("EDRPIPE_TOKEN")}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		var p web.JobPage
		ts.Check(c.Get(ctx, "jobs/"+args[0], nil, &p))
		if string(p.State) == args[1] {
			return
		}
	}
}
