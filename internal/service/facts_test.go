package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// Each rule hangs in one way on the type of its endpoint, and acts on a server.
const factRules = `
rules:
  - { id: hits, on: watchlist.hit.process, when: 'watchlist.name == "hello"', steps: [ { uses: list_processes } ] }
  - { id: protected, on: process_start, when: 'process.path endsWith "evil.exe"', steps: [ { uses: delete_file, with: { path: 'c:\none.txt' } } ] }
  - { id: approvals, on: process_start, when: 'process.path endsWith "evil.exe"', steps: [ { uses: create_directory, with: { path: 'c:\made' } } ] }
  - { id: budgets, on: process_start, when: 'process.path endsWith "evil.exe"', steps: [ { uses: isolate, with: { reason: x } } ] }
  - { id: hours, on: process_start, when: 'process.path endsWith "evil.exe"', steps: [ { uses: create_process, with: { program: 'c:\x.exe' } } ] }
  - { id: approval-if, on: process_start, when: 'process.path endsWith "evil.exe"', steps: [ { uses: kill_process, with: { pid: 99999, name: x.exe }, approval: { if: 'sensor.type == "workstation"' } } ] }
  - { id: if, on: process_start, when: 'process.path endsWith "evil.exe"', steps: [ { uses: kill_process, with: { pid: 99998, name: x.exe }, if: 'sensor.type == "server"' } ] }
  - { id: when, on: process_start, when: 'process.path endsWith "evil.exe" && sensor.type == "server"', steps: [ { uses: kill_process, with: { pid: 99997, name: x.exe } } ] }
`

const factGuards = `
protected: [ { name: p, sensors: 'sensor.type == "workstation"', deny: [delete_file, unisolate] } ]
approvals: [ { name: a, sensors: 'sensor.type == "workstation"', actions: [create_directory] } ]
budgets: [ { name: b, where: 'sensor.type == "workstation"', actions: [isolate], sensors: 1, per: 1h } ]
hours: [ { name: h, sensors: 'sensor.type == "workstation"', actions: [create_process], from: "00:00", to: "00:01", days: %s } ]
`

// The sensors, by where their type is known from.
const (
	byEvent = iota + 1
	byServer
	byFile
	byNobody
)

var factOrigins = map[int]string{byEvent: "the event", byServer: "the server", byFile: "the file", byNobody: "nowhere"}

// factWays are the rules, and the outcome of each for an unknown type.
var factWays = map[string]jobs.State{
	"protected": jobs.Parked, "budgets": jobs.Parked, "hours": jobs.Parked,
	"approvals": jobs.Held, "approval-if": jobs.Held, "if": jobs.Held, "when": "",
}

// acted reports whether a step of the job was carried out.
func (r running) acted(id string) bool {
	r.t.Helper()
	j, err := r.fleet.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return slices.ContainsFunc(j.Done, func(s jobs.StepRecord) bool {
		return s.State == jobs.StepOK || s.State == jobs.StepUnknown || s.State == jobs.StepFailed && s.Reason == jobs.ReasonStep
	})
}

func factsPlace(t *testing.T) *place {
	t.Helper()
	sim := edrsim.New(edrsim.Config{CheckIn: 20 * time.Millisecond, Fleet: []edrsim.SensorSpec{
		{}, {System: "Windows Server 2019 Standard, 64-bit"}, {}, {},
	}}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, factRules, "")
	today := strings.ToLower(time.Now().UTC().Add(72 * time.Hour).Format("Mon")) // not now, at no time of day
	p.write("guards.yaml", fmt.Sprintf(factGuards, today))
	p.write("endpoints.yaml", "endpoints: [ { host: WKS-0003, type: server } ]")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+fmt.Sprintf("guards: %[1]s/guards.yaml\nendpoints: %[1]s/endpoints.yaml\n", p.dir))
	return p
}

// heldBack checks that a job on the endpoint of unknown type has not
// acted, and names the fact.
func (r running) heldBack(way, id string, want jobs.State) {
	r.t.Helper()
	await(r.t, 30*time.Second, way+" of "+id+" holds", func() bool {
		j, err := r.fleet.Get(r.t.Context(), id)
		return err == nil && j.State == want && j.Reason == jobs.ReasonUnknownFact && strings.Contains(j.Detail, "sensor.type is not known")
	})
	if r.acted(id) {
		r.t.Errorf("%s: job %s acted on an endpoint of unknown type", way, id)
	}
}

// TestFactsFromEverywhere: for each guard and condition, a fact from an event, the
// server or the file counts; from nowhere the step holds, asks or does not match, and
// never acts: by rule, by a person, by retry, by undo and after a restart.
func TestFactsFromEverywhere(t *testing.T) {
	t.Parallel()
	p := factsPlace(t)
	t.Run("by rule, person and retry", func(t *testing.T) {
		r := p.on(t).run()
		await(t, 20*time.Second, "the directory", r.members[0].Directory.Whole)
		r.publish(fmt.Sprintf(`{"type":"watchlist.hit.process","sensor_id":1,"hostname":"WKS-0001","host_type":"server","watchlist_id":31,"watchlist_name":"hello","process_id":"00000001-0000-0009-01da-ff710e784000","timestamp":%d,"cb_server":"sim"}`, time.Now().Unix()))
		await(t, 20*time.Second, "the hit", func() bool { return r.jobOf("hits", "1").ID != "" })
		for sensor := byEvent; sensor <= byNobody; sensor++ {
			r.publish(start(sensor, 40+sensor))
		}
		for way, unknown := range factWays {
			for sensor := byEvent; sensor < byNobody; sensor++ {
				name := fmt.Sprintf("%s, known from %s", way, factOrigins[sensor])
				await(t, 60*time.Second, name, func() bool {
					j := r.jobOf(way, fmt.Sprint(sensor))
					return j.ID != "" && r.acted(j.ID)
				})
			}
			if unknown != "" {
				await(t, 30*time.Second, way+" has a job", func() bool { return r.jobOf(way, "4").ID != "" })
				r.heldBack(way, r.jobOf(way, "4").ID, unknown)
			} else if j := r.jobOf(way, "4"); j.ID != "" {
				t.Errorf("%s: %+v though nobody tells the type", way, j)
			}
		}
		r.byPersonAndRetry()
	})
	t.Run("after a restart", func(t *testing.T) {
		r := p.on(t).run()
		for way, unknown := range factWays {
			if unknown != "" {
				await(t, 30*time.Second, way+" is read again", func() bool { return r.jobOf(way, "4").ID != "" })
				r.heldBack(way, r.jobOf(way, "4").ID, unknown)
			}
		}
		// The type arrives: questions are taken back, and everything goes on.
		p.write("endpoints.yaml", "endpoints: [ { host: [WKS-0003, WKS-0004], type: server } ]")
		for _, way := range []string{"approvals", "if"} {
			await(t, 60*time.Second, way+" after the fact arrived", func() bool { return r.acted(r.jobOf(way, "4").ID) })
		}
	})
}

// byPersonAndRetry submits what the rules do, and retries what was cancelled.
func (r running) byPersonAndRetry() {
	t := r.t
	ann := web.User{Name: "ann", Role: web.Admin}
	for _, c := range []struct {
		way  string
		step actions.Step
		want jobs.State
	}{
		{"protected by a person", actions.Step{Uses: "delete_file", With: map[string]any{"path": `c:\none.txt`}}, jobs.Parked},
		{"approvals by a person", actions.Step{Uses: "create_directory", With: map[string]any{"path": `c:\made`}}, jobs.Held},
		{"if by a person", actions.Step{Uses: "kill_process", With: map[string]any{"pid": 99996, "name": "x.exe"}, If: `sensor.type == "server"`}, jobs.Held},
		{"undo by a person", actions.Step{Uses: "unisolate"}, jobs.Parked},
	} {
		known, err := r.console.Submit(t.Context(), ann, web.Submission{Sensor: looseid.ID("2"), Steps: []actions.Step{c.step}})
		if err != nil {
			t.Fatal(err)
		}
		await(t, 30*time.Second, c.way+" on a server", func() bool { return r.acted(known.ID) })
		held, err := r.console.Submit(t.Context(), ann, web.Submission{Sensor: looseid.ID("4"), Steps: []actions.Step{c.step}})
		if err != nil {
			t.Fatal(err)
		}
		r.heldBack(c.way, held.ID, c.want)
		if err := r.console.Cancel(t.Context(), ann, held.ID, "test"); err != nil {
			t.Fatal(err)
		}
		await(t, 20*time.Second, "the end of "+held.ID, func() bool {
			j, err := r.fleet.Get(t.Context(), held.ID)
			return err == nil && j.State == jobs.Cancelled
		})
		again, err := r.console.Retry(t.Context(), ann, held.ID, "test")
		if err != nil {
			t.Fatal(err)
		}
		r.heldBack(c.way+", retried", again.ID, c.want)
	}
}
