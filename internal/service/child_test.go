package service

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

const ingestToken = "only-for-this-test"

// place is a directory with everything that a service needs, and the simulator
// that it acts on.
type place struct {
	t   *testing.T
	dir string
	sim *edrsim.Server
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
jobs: { linger: 500ms, take_over: 5s }
%[3]s`, p.dir, sim.URL, settings))
	return p
}

// on is the place as a part of the test has it: what runs there ends with the part.
func (p *place) on(t *testing.T) *place { return &place{t: t, dir: p.dir, sim: p.sim} }

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

// child is the service in a process of its own.
type child struct {
	*place
	cmd *exec.Cmd
	url string
}

// start runs the service and waits until it answers.
func (p *place) start() *child {
	p.t.Helper()
	c := &child{place: p, cmd: exec.CommandContext(p.t.Context(), os.Args[0])}
	c.cmd.Env = append(os.Environ(), childEnv+"="+filepath.Join(p.dir, "pipeline.yaml"))
	var log bytes.Buffer
	c.cmd.Stderr = &log
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = c.cmd.Process.Signal(syscall.SIGQUIT) }) // with its goroutines in the log
	line, err := bufio.NewReader(out).ReadString('\n')
	late.Stop()
	if err != nil {
		_ = c.cmd.Wait() // its log says more
		p.t.Fatalf("the service did not start: %s", log.String())
	}
	c.url = strings.TrimSpace(line)
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("log of the service:\n%s", tail(log.String(), 4000))
		}
	})
	return c
}

func tail(s string, most int) string { return s[max(0, len(s)-most):] }

// kill ends the service as a crash would.
func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Wait() // it was killed
}

// stop ends the service as an operator would and returns how it ended.
func (c *child) stop() error {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	return c.cmd.Wait()
}

// post sends events by HTTP, one a line, and returns once they are safe. Like any
// sender it comes again when it is told to wait: just after the start nobody reads.
func (c *child) post(lines ...string) {
	c.t.Helper()
	await(c.t, 30*time.Second, "taken events", func() bool {
		status, body := c.try(strings.Join(lines, "\n"))
		if status != http.StatusOK && status != http.StatusServiceUnavailable {
			c.t.Fatalf("ingest: %d %s", status, body)
		}
		return status == http.StatusOK
	})
}

func (c *child) try(text string) (status int, body string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/v1/ingest", strings.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+ingestToken)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// get asks the API.
func (c *child) get(path string, into any) {
	c.t.Helper()
	token, err := os.ReadFile(filepath.Join(c.dir, "data", "admin.token"))
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.url+"/api/v1/"+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s: %s %s %v", path, res.Status, body, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		c.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// jobLine is what tests read of a job in a list.
type jobLine struct {
	ID, Rule, Reason, Detail string
	Sensor                   int
	State                    jobs.State
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

// allEnded waits until n jobs have come to their end and returns them.
func (c *child) allEnded(n int, within time.Duration) []jobLine {
	c.t.Helper()
	var all []jobLine
	await(c.t, within, fmt.Sprintf("%d ended jobs", n), func() bool {
		all = nil
		c.get("jobs?limit=5000", &all)
		ended := 0
		for _, j := range all {
			if j.State.Terminal() {
				ended++
			}
		}
		return ended >= n && ended == len(all)
	})
	return all
}

func (p *place) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// in is the same place in another test.
func (p *place) in(t *testing.T) *place {
	other := *p
	other.t = t
	return &other
}
