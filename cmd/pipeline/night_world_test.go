package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
)

// nightWorld is a directory with a deployment, `pipeline run` in it as a process of its
// own, and a simulated EDR server.
type nightWorld struct {
	t    *testing.T
	dir  string
	sim  *edrsim.Server
	door *door
	addr string // of the service
	api  *apiclient.Client

	admin, approver string // tokens
	run             *exec.Cmd
	sent            int    // events
	job, event      string // that the situation is about; may be empty
}

// nightSetup is what a situation needs in addition to a plain deployment.
type nightSetup struct {
	sim    edrsim.Config
	cert   *tls.Certificate  // of the EDR server; nil: plain HTTP
	files  map[string]string // by name in the directory
	config string            // further lines of pipeline.yaml; DIR stands for the directory
	edr    string            // further keys of edr
	disk   string            // size of a disk of its own for the data; empty: none
}

const nightRule = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: list_processes } ]
`

func newNight(t *testing.T, s nightSetup) *nightWorld {
	t.Helper()
	if s.sim.CheckIn == 0 {
		s.sim.CheckIn = 200 * time.Millisecond
	}
	if s.sim.Sensors == 0 && s.sim.Fleet == nil {
		s.sim.Sensors = 3
	}
	sim := edrsim.New(s.sim)
	t.Cleanup(sim.Close)
	w := &nightWorld{t: t, dir: t.TempDir(), sim: sim, door: newDoor(t, sim, s.cert), admin: web.NewToken(), approver: web.NewToken()}
	w.write("rules/evil.yaml", nightRule)
	w.write("guards.yaml", "breaker: { failures: 1000, per: 10m }\n")
	w.write("endpoints.yaml", "endpoints: []\n")
	w.write("edr.token", sim.Token)
	w.write("ingest.token", "only-for-this-test")
	w.writeUsers("users.yaml")
	w.write("admin.token", w.admin)
	w.write("approver.token", w.approver)
	edr := ""
	if s.cert != nil {
		w.write("edr-ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Certificate[0]})))
		edr = ", ca: DIR/edr-ca.pem"
	}
	for name, text := range s.files {
		w.write(name, text)
	}
	if s.disk != "" {
		mountDisk(t, w.path("data"), s.disk)
	}
	w.addr = freePort(t)
	w.write("pipeline.yaml", strings.ReplaceAll(fmt.Sprintf(`data: DIR/data
rules: [DIR/rules]
guards: DIR/guards.yaml
endpoints: DIR/endpoints.yaml
grace: 2s
edr: { name: hq, url: %q, token_file: DIR/edr.token, sensor_poll: 1s%s%s }
sources: { http: { token_file: DIR/ingest.token } }
web: { listen: %q, users_file: DIR/users.yaml }
log: { format: json, level: warn }
%s
`, w.door.url(), edr, s.edr, w.addr, s.config), "DIR", w.dir))
	w.api = &apiclient.Client{Server: "http://" + w.addr, Token: w.admin}
	t.Cleanup(func() { w.end(syscall.SIGTERM) })
	w.start()
	return w
}

// freePort is a port of this machine that nothing listens on, to be listened on twice.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (w *nightWorld) path(name string) string { return filepath.Join(w.dir, name) }

func (w *nightWorld) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *nightWorld) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *nightWorld) writeUsers(name string) {
	w.t.Helper()
	users := &web.Users{List: []web.User{
		{Name: "ada", Role: web.Admin, Token: web.HashToken(w.admin)},
		{Name: "bea", Role: web.Approver, Token: web.HashToken(w.approver)},
	}}
	if err := users.Save(w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

// start starts `pipeline run` and returns when it answers; health may say anything.
func (w *nightWorld) start() {
	w.t.Helper()
	log, err := os.OpenFile(w.path("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close() // the child has its own
	w.run = exec.Command("pipeline", "run", "-c", w.path("pipeline.yaml"))
	w.run.Dir, w.run.Stderr = w.dir, log
	if err := w.run.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.await("the service answers", func() bool {
		c, err := net.Dial("tcp", w.addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// end ends the service with a signal.
func (w *nightWorld) end(s syscall.Signal) {
	if w.run == nil {
		return
	}
	_ = w.run.Process.Signal(s) // it may have ended
	_ = w.run.Wait()            // a signal is no failure here
	w.run = nil
	if w.t.Failed() {
		text, _ := os.ReadFile(w.path("log"))
		w.t.Logf("log of the service:\n%s", text[max(0, len(text)-6000):])
	}
}

// pipeline runs a command of the command line in this process, as the admin.
func (w *nightWorld) pipeline(args ...string) (status int, out string) {
	return w.pipelineAs("admin.token", args...)
}

func (w *nightWorld) pipelineAs(token string, args ...string) (status int, out string) {
	var b bytes.Buffer
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), time.Minute)
	defer cancel()
	if args[0] != "users" { // which is about a file
		args = append(args, "-c", w.path("pipeline.yaml"), "--token-file", w.path(token))
	}
	status = run(ctx, args, strings.NewReader(""), &b, &b)
	return status, strings.Join(strings.Fields(b.String()), " ")
}

// do is pipeline for a command that has to succeed.
func (w *nightWorld) do(args ...string) {
	w.t.Helper()
	if status, out := w.pipeline(args...); status != exitOK {
		w.t.Fatalf("pipeline %s: status %d: %s", strings.Join(args, " "), status, out)
	}
}

func (w *nightWorld) await(what string, cond func() bool) {
	w.t.Helper()
	if !within(time.Minute, cond) {
		_, health := w.pipeline("health")
		w.t.Fatalf("not within a minute: %s; health: %s", what, health)
	}
}

// within reports whether the condition holds before a time has passed.
func within(d time.Duration, cond func() bool) bool {
	deadline := time.After(d)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
}

// healthy reports whether every check is ok.
func (w *nightWorld) healthy() bool {
	status, out := w.pipeline("health")
	for _, bad := range []string{"degraded", "failed", "unknown"} {
		if strings.Contains(" "+out, " "+bad+" ") {
			return false
		}
	}
	return status == exitOK
}

// process is a process start of evil.exe on a sensor, of now.
func (w *nightWorld) process(sensor int) map[string]any {
	w.sent++
	return map[string]any{
		"type": "ingress.event.procstart", "event_type": "proc", "sensor_id": sensor, "computer_name": fmt.Sprintf("WKS-%04d", sensor), "timestamp": time.Now().Unix(),
		"pid": 1000 + w.sent, "path": `c:\temp\evil.exe`, "process_path": `c:\temp\evil.exe`, "process_guid": fmt.Sprintf("%08x-0000-%04x-01da-ff710e784000", sensor, 1000+w.sent), "cb_server": "hq",
	}
}

// post sends the event as a forwarder does, and notes it and its job as what the
// situation is about.
func (w *nightWorld) post(event map[string]any) {
	w.t.Helper()
	body, err := json.Marshal(event)
	if err != nil {
		w.t.Fatal(err)
	}
	w.postBody(string(body))
}

func (w *nightWorld) postBody(body string) {
	w.t.Helper()
	var answer struct{ IDs []string }
	w.await("the event is taken", func() bool {
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.addr+"/v1/ingest", strings.NewReader(body))
		if err != nil {
			w.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer only-for-this-test")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK && json.NewDecoder(res.Body).Decode(&answer) == nil
	})
	if len(answer.IDs) > 0 {
		w.event = answer.IDs[0]
	}
}

// attack posts an event for sensor 1 and waits for its job.
func (w *nightWorld) attack() { w.attackOn(1) }

func (w *nightWorld) attackOn(sensor int) {
	w.t.Helper()
	before := w.jobs("")
	w.post(w.process(sensor))
	w.await("the event's job", func() bool {
		now := w.jobs("")
		if len(now) > len(before) {
			w.job = now[0].ID
		}
		return len(now) > len(before)
	})
}

// jobs are those in a state, the newest first.
func (w *nightWorld) jobs(state string) []web.JobLine {
	w.t.Helper()
	var page web.JobsPage
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if err := w.api.Get(ctx, "jobs", map[string][]string{"state": {state}, "sort": {"-created"}}, &page); err != nil {
		w.t.Logf("jobs: %v", err)
	}
	return page.Jobs
}

// state is that of the job which the situation is about.
func (w *nightWorld) state() string {
	var page web.JobPage
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if err := w.api.Get(ctx, "jobs/"+w.job, nil, &page); err != nil {
		return err.Error()
	}
	return string(page.State)
}

func (w *nightWorld) overview() (web.Overview, error) {
	var o web.Overview
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	err := w.api.Get(ctx, "overview", nil, &o)
	return o, err
}
