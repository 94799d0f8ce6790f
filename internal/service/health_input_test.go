package service

import (
	"crypto/tls"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
)

// become waits until a check has a state and its evidence a text.
func (r running) become(name string, state health.State, text string) {
	r.t.Helper()
	await(r.t, time.Minute, name+" is "+string(state)+": "+text, func() bool {
		c := r.check(name)
		return c.State == state && strings.Contains(c.Evidence, text) && (state == health.OK && text == "" || c.Cure != "")
	})
}

// TestChecksOfInputAndFiles: dead letters, a users file with a mistake and a token that
// cannot be used are degraded and needed of people, until they are mended.
func TestChecksOfInputAndFiles(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, listProcesses, "").run()
	for _, name := range []string{"dead_letters", "users", "credentials", "jobs", "approvals", "silences"} {
		r.become(name, health.OK, "")
	}
	p := &place{t: t, dir: filepath.Dir(r.cfg.Data), sim: sim}
	good := p.read("data/users.yaml")
	r.publish(`{"type":"ingress.event.procstart","sensor_id":1,`)
	p.write("data/users.yaml", strings.Replace(good, "name: ", "nam: ", 1))
	p.write("edr.token", "two words")
	r.become("dead_letters", health.Degraded, "1 dead letters, the newest: bad_json")
	r.become("users", health.Degraded, "users.yaml")
	r.become("credentials", health.Degraded, "server sim:")
	o, err := r.Service.console.Overview(t.Context(), 1)
	for _, name := range []string{"dead_letters", "users", "credentials"} {
		if err != nil || !hasNeed(o.Needs, "degraded", name+" works less than it should: ") {
			t.Errorf("%s: people are needed for %+v, %v", name, o.Needs, err)
		}
	}
	p.write("data/users.yaml", good)
	p.write("edr.token", sim.Token)
	if _, err := r.Service.console.PurgeDead(t.Context(), web.User{Name: "ada"}, web.DeadChoice{All: true}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dead_letters", "users", "credentials"} {
		r.become(name, health.OK, "")
	}
}

// TestChecksOfJobs: approvals and silences are named and ok, jobs that fail again and
// again are degraded with the reason of the last one.
func TestChecksOfJobs(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	rules := strings.Split(isolates, "tests:")[0] + `  - id: asks
    on: process_start
    when: process.name == "asks.exe"
    steps: [ { uses: list_processes, approval: { require: 1, within: 1h } } ]
`
	r := newPlace(t, sim, rules, "").run()
	fails := func(pid int) string { return strings.ReplaceAll(start(1, pid), "evil", "fails") }
	r.publish(strings.ReplaceAll(start(1, 1), "evil", "asks"), fails(2), fails(3))
	r.become("approvals", health.OK, "1 job waits for the answer of a person")
	await(t, time.Minute, "two failures", func() bool { return len(r.jobs("failed")) == 2 })
	r.become("jobs", health.OK, "")
	r.publish(fails(4))
	r.become("jobs", health.Degraded, "3 jobs of rule breaks failed within the last hour, the last one: ")
	if c := r.check("jobs"); !strings.Contains(c.Evidence, "path not found") || !strings.Contains(c.Cure, "pipeline jobs retry") {
		t.Errorf("the check names no reason: %+v", c)
	}
	if _, err := r.Service.console.Silence(t.Context(), web.User{Name: "ada"}, web.Silence{Rule: "breaks", Comment: "known", Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	r.become("silences", health.OK, "1 in force: rule breaks by ada until ")
}

// TestAChangedCAIsTaken while the service runs: a server whose authority is not known works
// as soon as the file of ca has it.
func TestAChangedCAIsTaken(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).StartTLS()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	other := edrsim.New(edrsim.Config{Sensors: 1}).StartTLS()
	t.Cleanup(other.Close)
	p.write("ca.pem", shownBy(t, other.URL))
	p.write("pipeline.yaml", strings.Replace(strings.Replace(p.read("pipeline.yaml"), "https://127.0.0.1", "https://localhost", 1), "token_file: "+p.dir+"/edr.token", "ca: "+p.dir+"/ca.pem, token_file: "+p.dir+"/edr.token", 1))
	r := p.run()
	r.become("edr/sim", health.Failed, "certificate: ")
	p.write("ca.pem", "no certificate")
	r.become("credentials", health.Degraded, "server sim: ")
	p.write("ca.pem", shownBy(t, sim.URL))
	r.become("edr/sim", health.OK, "")
	r.become("credentials", health.OK, "")
}

// shownBy is the certificate that a server shows.
func shownBy(t *testing.T, url string) string {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw}))
}
