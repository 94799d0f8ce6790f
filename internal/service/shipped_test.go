package service

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"edrpipe/examples"
	"edrpipe/internal/golden"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

const shippedPage = "../../docs/shipped-rules.md"

// endpointKind is an endpoint of the fleet, and what is to be learnt of its kind. Its facts come
// from the server and from examples/endpoints.yaml; its events carry none.
type endpointKind struct {
	title, host, os, system, group string
}

var shippedFleet = []endpointKind{
	{"workstation", "WKS-0001", "windows", "Windows 10 Enterprise, 64-bit", "Office"},
	{"Windows server", "SRV-0002", "windows", "Windows Server 2019 Standard, 64-bit", "Servers"},
	{"domain controller", "DC-0003", "windows", "Windows Server 2019 Standard, 64-bit", "Domain Controllers"},
	{"Linux server", "WEB-0004", "linux", "CentOS 7", "Web"},
	{"macOS", "MAC-0005", "osx", "macOS 14", "Office"},
	{"Windows of unknown type", "KIOSK-0006", "windows", "Windows 10 Enterprise, 64-bit", "Kiosks"},
	{"plant floor", "PLC-0007", "windows", "Windows 10 IoT", "Production Line 1"},
}

// Of another product than the simulated one.
var notOfEDR = map[string]bool{"alert-stopped": true}

// TestShippedRules: events in the shapes of recordings, without any fact of the endpoint,
// have on each kind of endpoint the outcome that the page says, with the shipped rules,
// guards and endpoints file.
func TestShippedRules(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	sim := edrsim.New(edrsim.Config{CheckIn: 20 * time.Millisecond, Fleet: shippedSpecs()}).Start()
	t.Cleanup(sim.Close)
	r := shippedPlace(t, sim).run()
	await(t, 20*time.Second, "the directory", r.members[0].Directory.Whole)
	maker := newRawMaker(t, sim)
	for _, wave := range [][]string{maker.before(), maker.events()} {
		r.publish(wave...)
		await(t, 60*time.Second, "the events are read", r.drained)
	}
	await(t, 3*time.Minute, "no job has work to do", r.resting)
	outcomes := r.outcomes()
	golden.Check(t, shippedPage, shippedText(t, r.Service.intake.Rules.Live.Set(), outcomes))
	acting := []string{"workstation", "macOS"} // the others are protected, or nobody has agreed
	for i, s := range sim.State().Sensors {
		if want := slices.Contains(acting, shippedFleet[i].title); s.Isolated != want {
			t.Errorf("%s is isolated: %v, want %v", shippedFleet[i].title, s.Isolated, want)
		}
	}
	for i, k := range shippedFleet {
		killed := k.title == "workstation" || k.title == "Windows server"
		if alive := guidOf(sim, i+1, pidCanary) != ""; alive == killed {
			t.Errorf("%s: the process that touched the canary runs on: %v", k.title, alive)
		}
	}
}

// shippedSpecs are the simulated endpoints, with what the rules look for on them.
func shippedSpecs() (all []edrsim.SensorSpec) {
	for _, k := range shippedFleet {
		s := edrsim.SensorSpec{Hostname: k.host, OS: k.os, System: k.system, Group: k.group, Latency: edrsim.Latency{Min: time.Millisecond, Max: 2 * time.Millisecond}}
		for pid, path := range map[int]string{pidShadow: `c:\windows\system32\vssadmin.exe`, pidOffice: `c:\windows\system32\cmd.exe`, pidCanary: k.program("canary"), pidMass: k.program("mass"), pidEvil: k.program("evil")} {
			if strings.HasPrefix(path, `c:\`) == (k.os == "windows") {
				s.Processes = append(s.Processes, edrsim.ProcessSpec{PID: pid, Path: path})
				s.Files = append(s.Files, edrsim.FileSpec{Path: path, Content: "MZ " + path})
			}
		}
		for _, path := range []string{`d:\drop.exe`, `c:\users\ann\downloads\setup.exe`, `c:\windows\temp\unsigned.exe`, "/root/.ssh/authorized_keys", "/Library/LaunchAgents/x.plist"} {
			if strings.HasPrefix(path, "/") != (k.os == "windows") {
				s.Files = append(s.Files, edrsim.FileSpec{Path: path, Content: path})
			}
		}
		if k.os == "windows" {
			for _, path := range []string{regRun, regService, regDebugger} {
				s.Registry = append(s.Registry, edrsim.RegistrySpec{Path: `HKLM\` + path, Data: `c:\x.exe`})
			}
		}
		all = append(all, s)
	}
	return all
}

// program is a path where programs lie on the endpoint.
func (k endpointKind) program(name string) string {
	if k.os == "windows" {
		return `c:\users\ann\` + name + ".exe"
	}
	return "/tmp/" + name
}

// shippedPlace is a service with everything in examples. Hours are taken out of the
// guards, so that the outcome is the same at any time of day.
func shippedPlace(t *testing.T, sim *edrsim.Server) *place {
	t.Helper()
	files := t.TempDir()
	copyExamples(t, examples.Scripts, "scripts", files)
	p := newPlace(t, sim, listProcesses, "scripts: "+files)
	if err := os.Remove(filepath.Join(p.dir, "rules/test.yaml")); err != nil {
		t.Fatal(err)
	}
	copyExamples(t, examples.Rules, "rules", filepath.Join(p.dir, "rules"))
	for _, name := range []string{"guards.yaml", "endpoints.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../examples", name))
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := strings.Cut(string(text), "\nhours:")
		p.write(name, before)
	}
	p.write("pipeline.yaml", p.read("pipeline.yaml")+fmt.Sprintf("\nguards: %[1]s/guards.yaml\nendpoints: %[1]s/endpoints.yaml\n", p.dir))
	return p
}

// drained reports whether every event is read and settled.
func (r running) drained() bool {
	c, err := r.bus.JetStream().Consumer(r.t.Context(), bus.StreamEvents, r.cfg.Sources.NATS.Consumer)
	if err != nil {
		return false
	}
	info, err := c.Info(r.t.Context())
	return err == nil && info.NumPending == 0 && info.NumAckPending == 0
}

// resting reports whether all jobs have ended, or wait for people or for a time to undo.
func (r running) resting() bool {
	return !slices.ContainsFunc(r.jobs(""), func(j web.JobLine) bool {
		return !j.State.Terminal() && j.State != jobs.Held && !(j.State == jobs.Parked && j.Undo)
	})
}

// outcomes are those of each rule, by endpoint.
func (r running) outcomes() map[int]map[string]string {
	r.t.Helper()
	all := map[int]map[string]string{}
	for _, line := range r.jobs("") {
		if line.Rule == "" || line.Undo {
			continue
		}
		j, err := r.fleet.Get(r.t.Context(), line.ID)
		if err != nil {
			r.t.Fatal(err)
		}
		var sensor int
		if _, err := fmt.Sscan(j.Endpoint.ID, &sensor); err != nil {
			r.t.Fatal(err)
		}
		if all[sensor] == nil {
			all[sensor] = map[string]string{}
		}
		if old, twice := all[sensor][j.Rule]; twice {
			r.t.Errorf("two jobs of %s on %s: %s", j.Rule, j.Host, old)
		}
		all[sensor][j.Rule] = outcomeOf(j)
	}
	r.addRefused(all)
	return all
}

// addRefused adds the matches that made no job because of a guard, from the audit log.
func (r running) addRefused(all map[int]map[string]string) {
	r.t.Helper()
	entries, err := r.Service.console.AuditTail(r.t.Context(), 100_000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, raw := range entries {
		var e audit.Entry
		if err := json.Unmarshal(raw, &e); err != nil {
			r.t.Fatal(err)
		}
		if e.What != "no job" || e.Reason == "suppressed" {
			continue
		}
		sensor, err := strconv.Atoi(string(e.Sensor))
		if err != nil || all[sensor] == nil {
			r.t.Fatalf("no job of %s on %q: %s, %s", e.Rule, e.Sensor, e.Reason, e.Text)
		}
		guard, _, _ := strings.Cut(e.Text, ":")
		all[sensor][e.Rule] = "spared: no job, guard " + guard
	}
}

// outcomeOf says in words what a job did, and what it did not.
func outcomeOf(j *jobs.Job) string {
	var all []string
	say := func(text string) {
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	for _, s := range j.Done {
		act, ok := actions.Lookup(s.Uses)
		switch {
		case !ok || s.Uses == "wait" || s.State == jobs.StepPending:
		case s.State == jobs.StepSkipped && act.Spec().Destructive:
			say("spared: " + s.Uses + ", " + string(s.Reason))
		case s.State == jobs.StepSkipped:
		case s.Reason == jobs.ReasonDenied:
			_, named, _ := strings.Cut(s.Error, ": ") // after the kind of guard
			guard, _, _ := strings.Cut(named, ":")
			say("spared: " + s.Uses + ", guard " + guard)
		case s.Uses == "publish":
			say("publishes")
		case s.Uses == "http" || s.Uses == "notify":
			say("calls " + s.Uses)
		case act.Spec().Destructive && s.State == jobs.StepOK:
			say("does " + s.Uses)
		case act.Spec().Destructive:
			say("fails " + s.Uses)
		default:
			say("collects")
		}
	}
	switch {
	case j.State == jobs.Held:
		for _, q := range j.Approvals {
			if q.Closed {
				continue
			}
			step, from := q.Step, cmp.Or(strings.Join(q.From, ", "), "an approver")
			if i := slices.IndexFunc(j.Steps, func(s actions.Step) bool { return s.ID == q.Step }); i >= 0 {
				step = j.Steps[i].Uses
			}
			if q.Missing != 0 {
				from += ": " + q.Missing.String() + " unknown"
			}
			say(strings.TrimSpace("asked: "+step) + ", " + from)
		}
	case j.State == jobs.Denied && !strings.Contains(strings.Join(all, " "), "spared"):
		say("spared: " + j.Detail)
	case j.Mode == "shadow":
		say("records only")
	}
	return strings.Join(all, "; ")
}

// shippedText is the page.
func shippedText(t *testing.T, set *rules.Set, outcomes map[int]map[string]string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(shippedIntro)
	for _, of := range set.Rules() {
		if notOfEDR[of.ID] {
			continue
		}
		// Kinds with the same outcome share a line.
		var cells []string
		kinds := map[string][]string{}
		for i, k := range shippedFleet {
			cell, acted := outcomes[i+1][of.ID]
			if !acted {
				continue
			}
			if kinds[cell] == nil {
				cells = append(cells, cell)
			}
			kinds[cell] = append(kinds[cell], k.title)
		}
		if len(cells) == 0 {
			t.Errorf("rule %s acts on no endpoint", of.ID)
		}
		for i, cell := range cells {
			name := "`" + of.ID + "`"
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, strings.Join(kinds[cell], ", "), cell)
		}
	}
	return b.String()
}

const shippedIntro = `# What the shipped rules do on which endpoint

Made by a test (` + "`go test ./internal/service -run TestShippedRules -update`" + `): the rules of [` + "`examples/rules`" + `](../examples/rules)
with the guards and the endpoints file beside them, on events in the shapes that sensors and servers
send, which carry no fact of the endpoint. The facts come from the EDR server (OS, group) and from the
endpoints file (type, criticality). No question to people was answered.

An endpoint that a rule does not list made no job: its condition is false, or cannot be told. *Asked* is a
job that is held, with whom it is for; *spared* is a step that a guard or its own ` + "`if`" + ` kept away.

| rule | endpoint | outcome |
|---|---|---|
`
