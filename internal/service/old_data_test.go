package service

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

const oldData = "testdata/before-endpoints"

// unpack puts the data directory of the old version into the place.
func (p *place) unpack() {
	p.t.Helper()
	f, err := os.Open(filepath.Join(oldData, "data.tar.gz"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		p.t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			p.t.Fatal(err)
		}
		p.write(filepath.Join("data", h.Name), string(data))
	}
}

// oldPlace is what scripts/old-data.sh had, with the directory that it made.
func oldPlace(t *testing.T, sim *edrsim.Server) *place {
	t.Helper()
	p := newPlace(t, sim, "", "")
	for _, name := range []string{"rules.yaml", "guards.yaml"} {
		text, err := os.ReadFile(filepath.Join(oldData, name))
		if err != nil {
			t.Fatal(err)
		}
		p.write(map[string]string{"rules.yaml": "rules/test.yaml", "guards.yaml": "guards.yaml"}[name], string(text))
	}
	p.write("audit.key", "the key of the audit log of a test")
	text := strings.Replace(p.read("pipeline.yaml"), "bus: { sync: 0s }", "bus: { sync: 0s, floor: 0, history: { age: 3650d }, results: { age: 3650d } }", 1)
	p.write("pipeline.yaml", text+fmt.Sprintf("\nguards: %[1]s/guards.yaml\naudit_key_file: %[1]s/audit.key\n", p.dir))
	p.unpack()
	return p
}

// oldJobs are the jobs in the directory: by rule, or for those of people by action.
func (r running) oldJobs() map[string]*jobs.Job {
	r.t.Helper()
	all := map[string]*jobs.Job{}
	for _, line := range r.jobs("") {
		j, err := r.fleet.Get(r.t.Context(), line.ID)
		if err != nil {
			r.t.Fatal(err)
		}
		name := j.Rule + " " + j.Endpoint.String()
		if j.Rule == "" {
			name = j.Steps[0].Uses + " " + j.Endpoint.String()
		}
		if all[name] != nil {
			r.t.Errorf("two jobs %s", name)
		}
		all[name] = j
	}
	return all
}

// executed counts the commands that endpoints carried out.
func executed(sim *edrsim.Server) map[string]int64 {
	all := map[string]int64{}
	for _, e := range sim.Counters().Executions {
		all[fmt.Sprintf("%s %d", e.Command, e.SensorID)] += e.Count
	}
	return all
}

// TestOldDataDirectory: the service opens a data directory that a version before
// endpoints had servers has left after a kill. Every job goes on or is known to need a
// person, nothing runs twice, the audit log verifies, and suppression, budget, silence
// and stop are in force.
func TestOldDataDirectory(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Fleet: []edrsim.SensorSpec{{Hostname: "WKS-{n}", Count: 6}}, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := oldPlace(t, sim)
	t.Run("first start", func(t *testing.T) {
		r := p.on(t).run()
		r.oldStopped(sim)
		r.oldGoesOn(sim)
		r.adopted(1)
	})
	t.Run("second start", func(t *testing.T) {
		p.on(t).run().adopted(1)
	})
}

// oldStopped checks what is in force before anything may act.
func (r running) oldStopped(sim *edrsim.Server) {
	t := r.t
	t.Helper()
	await(t, 20*time.Second, "the jobs are read", func() bool { return len(r.jobs("")) == 6 })
	for name, want := range map[string]jobs.State{
		"decade sim/1": jobs.Succeeded, "decade sim/2": "", "asks sim/3": jobs.Held, "create_process sim/4": "", "list_registry_key sim/4": "", "retries sim/5": "",
	} {
		j := r.oldJobs()[name]
		if j == nil || want != "" && j.State != want || want == "" && j.State.Terminal() {
			t.Errorf("%s: %+v, want state %q", name, j, want)
		}
	}
	if n := sim.Counters().Commands; n != 0 {
		t.Errorf("%d commands were sent under the stop of the old version", n)
	}
	guards, err := r.console.Guards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if guards.Stopped == nil || len(guards.Silences) != 1 || guards.Silences[0].Rule != "silent" {
		t.Errorf("stop %+v, silences %+v", guards.Stopped, guards.Silences)
	}
	if len(guards.Budgets) != 1 || guards.Budgets[0].Used != 1 {
		t.Errorf("budgets %+v, want one unit used", guards.Budgets)
	}
	if c := r.checkOf("records"); !c.Ready() {
		t.Errorf("records: %+v", c)
	}
	if report, err := r.console.Verify(t.Context(), nil); err != nil || !report.Good || report.Entries < 10 {
		t.Errorf("the audit log does not verify: %+v, %v", report, err)
	}
}

// oldGoesOn ends the stop and sends the events of the old version again.
func (r running) oldGoesOn(sim *edrsim.Server) {
	t := r.t
	t.Helper()
	events, err := os.ReadFile(filepath.Join(oldData, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	again := strings.Split(strings.TrimSpace(string(events)), "\n")
	r.publish(append(again, strings.ReplaceAll(again[0], "seen.exe", "silent.exe"))...)
	await(t, 20*time.Second, "the events are read", r.drained)
	if err := r.console.Resume(t.Context(), web.User{Name: "ann", Role: web.Admin}, web.Switching{Why: "go on"}); err != nil {
		t.Fatal(err)
	}
	asks := r.oldJobs()["asks sim/3"]
	if err := r.console.Answer(t.Context(), web.User{Name: "lea", Groups: []string{"leads"}}, asks.ID, web.Answer{Allow: true}); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]jobs.State{
		"decade sim/1": jobs.Succeeded, "decade sim/2": jobs.Succeeded, "asks sim/3": jobs.Succeeded, "create_process sim/4": jobs.Unknown, "list_registry_key sim/4": jobs.Succeeded, "retries sim/5": jobs.Succeeded,
	} {
		var j *jobs.Job
		defer func() {
			if j == nil || j.State != want {
				t.Logf("%s: %+v", name, j)
			}
		}()
		await(t, 40*time.Second, fmt.Sprintf("%s is %s", name, want), func() bool {
			j = r.oldJobs()[name]
			return j != nil && j.State == want
		})
	}
	ran := executed(sim)
	for what, want := range map[string]int64{"process list 1": 0, "process list 2": 1, "create directory 3": 1, "create process 4": 0, "directory list 5": 1, "create directory 1": 0} {
		if ran[what] != want {
			t.Errorf("%q was carried out %d times, want %d: %v", what, ran[what], want, ran)
		}
	}
	if all := r.oldJobs(); len(all) != 7 || all["silent sim/1"] == nil || all["silent sim/1"].State != jobs.Denied {
		t.Errorf("%d jobs, and the silenced one is %+v", len(all), all["silent sim/1"])
	}
	guards, err := r.console.Guards(t.Context())
	if err != nil || guards.Budgets[0].Used != 2 {
		t.Errorf("budgets %+v, %v, want two units used", guards.Budgets, err)
	}
	if report, err := r.console.Verify(t.Context(), nil); err != nil || !report.Good {
		t.Errorf("the audit log does not verify: %+v, %v", report, err)
	}
}

// adopted checks that the records without a seal were taken over so often, as the audit
// log says, and that a later one is not.
func (r running) adopted(want int) {
	t := r.t
	t.Helper()
	got := map[string]int{}
	entries, err := r.console.AuditTail(t.Context(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range entries {
		var e audit.Entry
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if e.What == "adopt" {
			got[string(e.Data)]++
		}
	}
	for _, bucket := range []string{bus.BucketControl, bus.BucketJobs, bus.BucketFinished} {
		if got[`"`+bucket+`"`] != want {
			t.Errorf("the audit log says %v, want %d of bucket %s", got, want, bucket)
		}
	}
}
