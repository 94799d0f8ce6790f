package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// Each rule hangs in one way on the type of its endpoint, and acts on a server. The
// isolation is undone under a guard that protects, the ban under guards that bind no undo.
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
approvals: [ { name: a, sensors: 'sensor.type == "workstation"', actions: [create_directory, unban_hash] } ]
budgets: [ { name: b, where: 'sensor.type == "workstation"', actions: [isolate, unban_hash], sensors: 1, per: 1h } ]
hours: [ { name: h, sensors: 'sensor.type == "workstation"', actions: [create_process, unban_hash], from: "00:00", to: "00:01", days: %s } ]
`

// The sensors, by where their type is known from.
const (
	byEvent = iota + 1
	byServer
	byFile
	byNobody
)

var factOrigins = map[int]string{byEvent: "the event", byServer: "the server", byFile: "the file", byNobody: "nowhere"}

// factWays are the rules whose jobs hold for an unknown type. That of "when" has none.
var factWays = []string{"protected", "approvals", "budgets", "hours", "approval-if", "if"}

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

// factMatrix is the service with the jobs that a guard or a condition holds.
type factMatrix struct {
	running
	held map[string]string // job by what made it
}

// ann submits, bob answers.
var (
	ann = web.User{Name: "ann", Role: web.Admin}
	bob = web.User{Name: "bob", Role: web.Admin}
)

// TestFactsFromEverywhere is a table of the guards and conditions, by where the fact comes
// from and by what makes the job: a rule, a person, an undo, a retry, each also after a
// restart. A fact from an event, the server or the file counts. Of one from nowhere the
// step holds, asks or does not match, and never acts; when the fact arrives it goes on.
func TestFactsFromEverywhere(t *testing.T) {
	t.Parallel()
	p := factsPlace(t)
	held := map[string]string{}
	for round, restarted := range []string{"", " after a restart"} {
		t.Run("every occasion"+restarted, func(t *testing.T) {
			m := factMatrix{p.on(t).run(), held}
			await(t, 20*time.Second, "the directory", m.members[0].Directory.Whole)
			for name, id := range held { // of the round before
				m.holds(name+restarted, id)
			}
			if round == 0 { // the one event that says a type
				m.publish(fmt.Sprintf(`{"type":"watchlist.hit.process","sensor_id":1,"hostname":"WKS-0001","host_type":"server","watchlist_id":31,"watchlist_name":"hello","process_id":"00000001-0000-0009-01da-ff710e784000","timestamp":%d,"cb_server":"sim"}`, time.Now().Unix()))
				await(t, 20*time.Second, "the hit", func() bool { return m.jobOf("hits", "1").ID != "" })
			}
			m.byRule(40+10*round, restarted)
			m.byPerson(restarted)
			m.byUndo(restarted)
			m.byRetry(restarted)
		})
		t.Run("before the first event after a start"+restarted, func(t *testing.T) {
			s, err := p.on(t).open()
			if err != nil {
				t.Fatal(err)
			}
			var sensor events.Sensor
			if s.facts(t.Context(), edr.Endpoint{Server: "sim", ID: fmt.Sprint(byEvent)}, edr.Sensor{}, &sensor); sensor.Type != "server" {
				t.Errorf("what an event said of the type is not known: %+v", sensor)
			}
			ended, end := context.WithCancel(t.Context())
			end()
			if err := errors.Join(s.Run(ended), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("the fact arrives", func(t *testing.T) {
		m := factMatrix{p.on(t).run(), held}
		p.write("endpoints.yaml", "endpoints: [ { host: [WKS-0003, WKS-0004], type: server } ]")
		for name, id := range held {
			await(t, 60*time.Second, name+" goes on", func() bool { return m.acted(id) })
		}
	})
}

// acted reports whether a step of the job was carried out.
func (m factMatrix) acted(id string) bool {
	m.t.Helper()
	j, err := m.fleet.Get(m.t.Context(), id)
	if err != nil {
		m.t.Fatal(err)
	}
	return slices.ContainsFunc(j.Done, func(s jobs.StepRecord) bool {
		return s.State == jobs.StepOK || s.State == jobs.StepUnknown || s.State == jobs.StepFailed && s.Reason == jobs.ReasonStep
	})
}

// expect checks what becomes of the job of one sensor, and keeps the one that is held.
func (m factMatrix) expect(name string, sensor int, id string) {
	m.t.Helper()
	name = fmt.Sprintf("%s, known from %s", name, factOrigins[sensor])
	if sensor != byNobody {
		await(m.t, 60*time.Second, name+": job "+id+" acts", func() bool { return m.acted(id) })
		return
	}
	m.holds(name, id)
	m.held[name] = id
}

// holds checks that a job has not acted, and names the fact.
func (m factMatrix) holds(name, id string) {
	m.t.Helper()
	await(m.t, 30*time.Second, name+": job "+id+" holds", func() bool {
		j, err := m.fleet.Get(m.t.Context(), id)
		return err == nil && j.State == jobs.Held && j.Reason == jobs.ReasonUnknownFact && strings.Contains(j.Detail, "sensor.type is not known")
	})
	if m.acted(id) {
		m.t.Errorf("%s: job %s acted on an endpoint of unknown type", name, id)
	}
}

// byRule publishes an event of each sensor.
func (m factMatrix) byRule(pid int, restarted string) {
	known := map[string]bool{}
	for _, j := range m.jobs("") {
		known[j.ID] = true
	}
	for sensor := byEvent; sensor <= byNobody; sensor++ {
		m.publish(start(sensor, pid+sensor))
	}
	made := func(rule string, sensor int) (id string) {
		for _, j := range m.jobs("") {
			if j.Rule == rule && string(j.Sensor) == fmt.Sprint(sensor) && !known[j.ID] {
				id = j.ID
			}
		}
		return id
	}
	for _, rule := range append(slices.Clone(factWays), "when") {
		for sensor := byEvent; sensor <= byNobody; sensor++ {
			if rule == "when" && sensor == byNobody {
				continue
			}
			await(m.t, 60*time.Second, fmt.Sprintf("job of %s on sensor %d%s", rule, sensor, restarted), func() bool { return made(rule, sensor) != "" })
			m.expect(rule+" by rule"+restarted, sensor, made(rule, sensor))
		}
	}
	if id := made("when", byNobody); id != "" {
		m.t.Errorf("when%s: job %s though nothing says the type", restarted, id)
	}
}

// submit submits the steps of a rule on a sensor.
func (m factMatrix) submit(sensor int, rule string) string {
	m.t.Helper()
	r, ok := m.rules.Live.Set().Rule(rule)
	if !ok {
		m.t.Fatalf("there is no rule %s", rule)
	}
	return m.submitSteps(sensor, r.Steps...)
}

func (m factMatrix) submitSteps(sensor int, steps ...actions.Step) string {
	m.t.Helper()
	line, err := m.console.Submit(m.t.Context(), ann, web.Submission{Sensor: looseid.ID(fmt.Sprint(sensor)), Steps: steps})
	if err != nil {
		m.t.Fatal(err)
	}
	return line.ID
}

// each makes a job of each way on each sensor, and then checks them.
func (m factMatrix) each(name string, job func(way string, sensor int) string) {
	m.t.Helper()
	made := map[string][]string{}
	for _, way := range factWays {
		for sensor := byEvent; sensor <= byNobody; sensor++ {
			made[way] = append(made[way], job(way, sensor))
		}
	}
	for way, ids := range made {
		for i, id := range ids {
			m.expect(way+name, byEvent+i, id)
		}
	}
}

func (m factMatrix) byPerson(restarted string) {
	m.each(" by a person"+restarted, func(way string, sensor int) string { return m.submit(sensor, way) })
}

// byRetry cancels jobs while everything is stopped, and retries them.
func (m factMatrix) byRetry(restarted string) {
	if err := m.console.Stop(m.t.Context(), ann, web.Switching{Why: "test"}); err != nil {
		m.t.Fatal(err)
	}
	cancelled := map[string]string{}
	for _, way := range factWays {
		for sensor := byEvent; sensor <= byNobody; sensor++ {
			cancelled[fmt.Sprint(way, sensor)] = m.submit(sensor, way)
		}
	}
	for _, id := range cancelled {
		m.cancel(id)
	}
	if err := m.console.Resume(m.t.Context(), ann, web.Switching{Why: "test"}); err != nil {
		m.t.Fatal(err)
	}
	m.each(" by retry"+restarted, func(way string, sensor int) string {
		again, err := m.console.Retry(m.t.Context(), ann, cancelled[fmt.Sprint(way, sensor)], "test")
		if err != nil {
			m.t.Fatal(err)
		}
		return again.ID
	})
}

// cancel cancels a job, and waits until it has ended.
func (m factMatrix) cancel(id string) {
	m.t.Helper()
	if err := m.console.Cancel(m.t.Context(), ann, id, "test"); err != nil {
		m.t.Fatal(err)
	}
	await(m.t, 20*time.Second, "the end of "+id, func() bool { return m.state(id) == jobs.Cancelled })
}

// byUndo undoes what was done: an isolation that is protected from being undone, and a
// ban, whose undo no approval, budget or hours bind.
func (m factMatrix) byUndo(restarted string) {
	for sensor := byEvent; sensor <= byNobody; sensor++ {
		isolation := m.submitSteps(sensor, actions.Step{ID: "a", Uses: "isolate", With: map[string]any{"reason": "x"}})
		if sensor == byNobody { // the budget holds it, and a person allows it
			m.holds("isolation"+restarted, isolation)
			m.allowed(isolation)
		}
		m.expect("protected by undo"+restarted, sensor, m.undo(isolation))
		ban := m.submitSteps(sensor, actions.Step{ID: "a", Uses: "ban_hash", With: map[string]any{"md5": fmt.Sprintf("%031x%d", len(restarted), sensor)}})
		undo := m.undo(ban)
		await(m.t, 30*time.Second, fmt.Sprintf("undo of a ban, known from %s%s", factOrigins[sensor], restarted), func() bool { return m.acted(undo) })
	}
}

// undo waits for the job to succeed, and undoes it.
func (m factMatrix) undo(id string) string {
	m.t.Helper()
	await(m.t, 30*time.Second, "job "+id, func() bool { return m.state(id) == jobs.Succeeded })
	ids, err := m.console.Undo(m.t.Context(), ann, id, "test")
	if err != nil || len(ids) != 1 {
		m.t.Fatalf("undo %s: %v, %v", id, ids, err)
	}
	return ids[0]
}

// allowed has a person allow a held job; who submitted it cannot.
func (m factMatrix) allowed(id string) {
	m.t.Helper()
	if err := m.console.Answer(m.t.Context(), ann, id, web.Answer{Allow: true}); !errors.Is(err, jobs.ErrRefused) {
		m.t.Errorf("who submitted job %s answered it: %v", id, err)
	}
	if err := m.console.Answer(m.t.Context(), bob, id, web.Answer{Allow: true}); err != nil {
		m.t.Errorf("job %s: nobody can answer: %v", id, err)
	}
}
