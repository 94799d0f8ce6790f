//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edrpipe/examples"
	"edrpipe/internal/apiclient"
	"edrpipe/internal/config"
	"edrpipe/internal/demo"
	"edrpipe/internal/looseid"
	"edrpipe/internal/natsd"
	"edrpipe/internal/pace"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// helpWorld is what the examples of the help speak of: a bus, an EDR server and a service.
type helpWorld struct {
	files string // directory that each example gets a copy of
	sim   *edrsim.Server
	url   string            // of the service
	data  string            // directory of the service
	asks  *apiclient.Client // the user of the examples, an admin
	other *apiclient.Client // another admin, whose jobs the first may approve
	bus   *natsd.Server
	names []string // what the examples name, and what it is here, in turn
	sent  atomic.Int64

	mu   sync.Mutex
	jobs map[string]string // by the program of their event
}

const helpRules = `rules:
  - id: kill-office-shell
    title: A rule whose jobs fail
    on: process_start
    when: process.name == "mimikatz.exe"
    steps: [ { uses: get_file, with: { path: 'c:\not-there' } } ]
  - id: wiper
    title: Another rule of the kind
    on: process_start
    when: process.name == "wiper.exe"
    steps: [ { uses: get_file, with: { path: 'c:\not-there' } } ]
  - id: ransomware
    title: Another one
    on: process_start
    when: process.name == "locker.exe"
    steps: [ { uses: get_file, with: { path: 'c:\not-there' } } ]
`

// helpFleet is the demo's, and the endpoints that examples name.
func helpFleet() []edrsim.SensorSpec {
	fleet := demo.Fleet()
	fleet[demo.Slow-1].Latency = edrsim.Latency{}
	fleet[demo.Slow-1].Files = append(fleet[demo.Slow-1].Files, edrsim.FileSpec{Path: `c:\temp\x.exe`, Content: "collected\n"})
	fleet = append(fleet, edrsim.SensorSpec{Hostname: "DC-0001"}, edrsim.SensorSpec{Hostname: "WS-{n}", Count: 32})
	slow := edrsim.Latency{Min: time.Hour, Max: time.Hour}
	return append(fleet,
		edrsim.SensorSpec{Hostname: "WS-UNKNOWN", Commands: map[string]edrsim.Latency{"create process": slow}}, // 41
		edrsim.SensorSpec{Hostname: "WS-0042", Files: []edrsim.FileSpec{{Path: `C:\Users\ann\evil.exe`, Content: "evil\n"}}})
}

func newHelpWorld(t *testing.T) *helpWorld {
	w := &helpWorld{files: t.TempDir(), jobs: map[string]string{}}
	w.sim = edrsim.New(edrsim.Config{TimeScale: 100, Fleet: helpFleet(), Slots: 100, Quirks: edrsim.Quirks{"closed-session": "gone"}}).Start()
	t.Cleanup(w.sim.Close)
	var err error
	if w.bus, err = natsd.Start(natsd.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Pass: "s3cret", Sync: time.Minute}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.bus.Close() }) // its directory goes with it
	w.write(t, w.files, "service-rules/rules.yaml", helpRules)
	w.write(t, w.files, "guards.yaml", "breaker: { failures: 1, per: 10m }\n")
	for name, token := range map[string]string{"edr.token": w.sim.Token, "ingest.token": "s3cret", "bus.password": "s3cret"} {
		w.write(t, w.files, name, token+"\n")
	}
	ada, bea := web.NewToken(), web.NewToken()
	users := &web.Users{List: []web.User{
		{Name: "ada", Role: web.Admin, Groups: []string{"soc-leads"}, Token: web.HashToken(ada)},
		{Name: "bob", Role: web.Admin, Groups: []string{"soc-leads"}, Token: web.HashToken(bea)},
	}}
	if err := users.Save(filepath.Join(w.files, "users.yaml")); err != nil {
		t.Fatal(err)
	}
	w.startService(t)
	w.asks, w.other = &apiclient.Client{Server: w.url, Token: ada}, &apiclient.Client{Server: w.url, Token: bea}
	w.writeFiles(t)
	w.names = []string{
		"nats://bus:4222", w.bus.URL(), "nats://127.0.0.1:4222", w.bus.URL(),
		"amqp://cb@edr.example:5004/", "amqp://cb@127.0.0.1:1/", "/run/secrets/amqp", "bus.password",
		"/etc/edrpipe", "DIR/site", " /secrets", " DIR/secrets", " /parts", " DIR/parts",
		"service=65532,nats=0,grafana=472", fmt.Sprintf("service=%d,nats=%[1]d,grafana=%[1]d", os.Getuid()),
		"pipeline sim", "pipeline sim --listen 127.0.0.1:0", "127.0.0.1:7481", "127.0.0.1:0",
		"rules lsp", "rules lsp < session.lsp", "jq .process.command_line", "jq --unbuffered .process.command_line",
	}
	return w
}

func (w *helpWorld) startService(t *testing.T) {
	cfg := config.Default()
	in := func(name string) string { return filepath.Join(w.files, name) }
	w.data = filepath.Join(t.TempDir(), "data")
	cfg.Data, cfg.Rules, cfg.Guards = w.data, []string{in("service-rules")}, in("guards.yaml")
	cfg.Bus.URL, cfg.Bus.User, cfg.Bus.Password = w.bus.URL(), "operator", in("bus.password")
	cfg.EDR.Name, cfg.EDR.URL, cfg.EDR.Token, cfg.EDR.SensorPoll = "edr01", w.sim.URL, in("edr.token"), 200*time.Millisecond
	cfg.Sources.HTTP.Enabled, cfg.Sources.HTTP.Token = true, in("ingest.token")
	cfg.Web.Listen, cfg.Web.Users = "127.0.0.1:0", in("users.yaml")
	url, stop, err := openService(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.url = url
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func (w *helpWorld) write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	mode := os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// writeFiles writes what the examples read.
func (w *helpWorld) writeFiles(t *testing.T) {
	site := func(bus string) string {
		return "data: data\nrules: [service-rules]\nguards: guards.yaml\nedr: { name: edr01, url: \"" + w.sim.URL + "\", token_file: edr.token }\nweb: { listen: \"127.0.0.1:0\", users_file: users.yaml }\n" + bus
	}
	shell := w.processStart(1, "WS-ANN", "cmd.exe")
	for name, text := range map[string]string{
		"pipeline.yaml":                 site("bus: { url: \"" + w.bus.URL() + "\", user: operator, password_file: bus.password }\n"),
		"bus.yaml":                      site("bus: { url: \"" + w.bus.URL() + "\", user: operator, password_file: bus.password }\n"),
		"embedded.yaml":                 site(""),
		"bin/docker":                    "#!/bin/sh\nshift 4 # compose exec pipeline /pipeline\nexec pipeline \"$@\"\n",
		"data/admin.token":              w.asks.Token + "\n",
		"assistant.token":               w.asks.Token + "\n",
		"api.token":                     w.sim.Token + "\n",
		"hq.token":                      w.sim.Token + "\n",
		"cbc.token":                     "SECRET/ID\n",
		"session.lsp":                   framed(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`, `{"jsonrpc":"2.0","id":2,"method":"shutdown"}`, `{"jsonrpc":"2.0","method":"exit"}`),
		"event.json":                    shell + "\n",
		"recording.jsonl":               shell + "\n" + w.processStart(2, "WS-BOB", "cmd.exe") + "\n",
		"events.ndjson":                 w.processStart(3, "WS-CAROL", "cmd.exe") + "\n",
		"cloud.jsonl":                   `{"version":"2.0.0","type":"CB_ANALYTICS","id":"a1","org_key":"A1B2C3D4","device_id":7,"device_name":"WS-SLOW","device_os":"WINDOWS","backend_timestamp":"2026-01-05T10:00:00.000Z","severity":7,"reason":"a test"}` + "\n",
		"endpoints.yaml":                "endpoints:\n  - host: DC-0001\n    type: server\n",
		"inventory.csv":                 "host,type\nDC-0001,server\n",
		"jobs.ndjson":                   `{"sensor": 9, "steps": [{"uses": "list_processes"}]}` + "\n",
		"sigma/rules/windows/shell.yml": "title: Shell\nid: 0f4c5d2e-6d8a-4c0e-9a35-3a2f6f2f6c11\nstatus: test\nlevel: high\nlogsource: { category: process_creation, product: windows }\ndetection:\n  selection:\n    Image|endswith: '\\evil.exe'\n  condition: selection\n",
	} {
		w.write(t, w.files, name, text)
	}
	if err := copyFiles(examples.Rules, "rules", filepath.Join(w.files, "examples/rules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"office-shell.yaml", "office-shell_test.yaml"} { // mutants of all take long
		text, err := examples.Rules.ReadFile("rules/" + name)
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, w.files, "rules/"+name, string(text))
		w.write(t, w.files, "new-rules/"+name, string(text))
	}
	for _, dir := range []string{"scripts", "examples/scripts"} {
		if err := copyFiles(examples.Scripts, "scripts", filepath.Join(w.files, dir)); err != nil {
			t.Fatal(err)
		}
	}
}

// processStart is a process start of now, as the event forwarder prints it.
func (w *helpWorld) processStart(sensor int, host, program string) string {
	pid := 5000 + w.sent.Add(1)
	return fmt.Sprintf(`{"type":"ingress.event.procstart","event_type":"proc","sensor_id":%d,"computer_name":%q,"timestamp":%d,"pid":%d,"path":"c:\\windows\\%s","command_line":"%[5]s -x","process_path":"c:\\windows\\%[5]s","process_guid":"%08[1]x-0000-%04[4]x-01da-ff710e784000","parent_path":"c:\\office\\winword.exe","cb_server":"edr01"}`,
		sensor, host, time.Now().Unix(), pid, program)
}

// ingest posts a message as the event forwarder does, and gives the id of its event.
func (w *helpWorld) ingest(t *testing.T, body string) string {
	t.Helper()
	id, err := w.post(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *helpWorld) post(ctx context.Context, body string) (id string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/v1/ingest", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer s3cret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct{ IDs []string }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || len(answer.IDs) == 0 {
		return "", fmt.Errorf("ingest: %s, %w", res.Status, err)
	}
	return answer.IDs[0], nil
}

// connect is a connection to the bus of its own.
func (w *helpWorld) connect(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{URL: w.bus.URL(), User: "operator", Password: "s3cret", Name: "noise"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// job submits a job as another user than the examples' and waits for a state of it.
func (w *helpWorld) job(t *testing.T, sensor string, step actions.Step, want jobs.State) string {
	t.Helper()
	var line web.JobLine
	err := w.other.Post(t.Context(), "jobs", web.Submission{Sensor: looseid.ID("edr01/" + sensor), Steps: []actions.Step{step}}, &line)
	if err != nil {
		t.Fatal(err)
	}
	w.awaitState(t, line.ID, want)
	return line.ID
}

func (w *helpWorld) awaitState(t *testing.T, id string, want jobs.State) {
	t.Helper()
	var p web.JobPage
	w.await(t, fmt.Sprintf("job %s is %s", id, want), func() bool {
		if err := w.other.Get(t.Context(), "jobs/"+id, nil, &p); err != nil {
			t.Fatal(err)
		}
		return p.State == want
	})
}

// await returns when the condition holds.
func (w *helpWorld) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !holds() {
		if pace.Sleep(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// framed are messages to a language server.
func framed(messages ...string) string {
	var b strings.Builder
	for _, m := range messages {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m), m)
	}
	return b.String()
}
