package service

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

const ingestToken = "only-for-this-test"

// place is a directory with everything that a service needs, and the simulator
// that it acts on.
type place struct {
	t   *testing.T
	dir string
	sim *edrsim.Server

	tune func(*Service) // called before a service runs; may be nil
}

// newPlace writes rules, tokens and configuration. settings are further lines of
// pipeline.yaml.
func newPlace(t *testing.T, sim *edrsim.Server, rules, settings string) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), sim: sim}
	p.write("rules/test.yaml", rules)
	p.write("edr.token", sim.Token)
	p.write("ingest.token", ingestToken)
	p.write("pipeline.yaml", fmt.Sprintf(`
data: %[1]s/data
rules: [%[1]s/rules]
grace: 5s
bus: { sync: 0s }
edr: { name: sim, url: "%[2]s", token_file: %[1]s/edr.token, sensor_poll: 500ms }
sources: { http: { token_file: %[1]s/ingest.token } }
web: { listen: "127.0.0.1:0" }
jobs: { take_over: 5s }
%[3]s`, p.dir, sim.URL, settings))
	return p
}

// on is the place as a part of the test has it: what runs there ends with the part.
func (p *place) on(t *testing.T) *place { return &place{t: t, dir: p.dir, sim: p.sim, tune: p.tune} }

func (p *place) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// await asks until cond holds.
func await(t *testing.T, within time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

func (p *place) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// start is a process start as the forwarder prints it.
func start(sensor, pid int) string {
	return fmt.Sprintf(`{"type":"ingress.event.procstart","event_type":"proc","sensor_id":%d,"computer_name":"WKS-%04d","timestamp":%d,"pid":%d,"path":"c:\\temp\\evil.exe","process_path":"c:\\temp\\evil.exe","process_guid":"%08x-0000-%04x-01da-ff710e784000","cb_server":"sim"}`,
		sensor, sensor, time.Now().Unix(), pid, sensor, pid)
}
