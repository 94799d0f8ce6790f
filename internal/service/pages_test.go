package service

import (
	"strings"
	"testing"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
)

const isolates = `
rules:
  - id: contain
    title: Contain it
    on: process_start
    when: process.name == "evil.exe"
    suppress: { key: [sensor.id], for: 1h }
    steps: [ { uses: isolate } ]
  - id: breaks
    on: process_start
    when: process.name == "fails.exe"
    steps: [ { uses: get_file, with: { path: 'c:\no\such' } } ]
tests:
  - name: it is isolated
    rule: contain
    events:
      - { type: ingress.event.procstart, sensor: { id: 1 }, process: { name: evil.exe } }
    expect:
      - { run: isolate }
`

// TestPagesSayWhatWasDone: of an endpoint who has it isolated, of a rule what its matches
// became, of an event which rule left it out and why, of a job its test.
func TestPagesSayWhatWasDone(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, strings.Split(isolates, "tests:")[0], "")
	p.write("rules/contain_test.yaml", "tests:"+strings.Split(isolates, "tests:")[1])
	r := p.run()
	c := r.Service.console
	r.publish(start(1, 1), start(1, 2))
	await(t, time.Minute, "the isolation and the decision", func() bool {
		rule, err := c.RulePage(t.Context(), "contain")
		return err == nil && len(rule.Decisions) == 1 && len(r.jobs("ended")) == 1
	})
	job := r.jobs("ended")[0]
	at, err := c.EndpointPage(t.Context(), "sim/1")
	if err != nil || len(at.Isolation) != 1 || at.Isolation[0].Rule != "contain" || at.Isolation[0].Job != job.ID || at.Foreign || len(at.Jobs) != 1 || at.Sensor == nil {
		t.Errorf("the endpoint: %+v, %v", at, err)
	}
	rule, err := c.RulePage(t.Context(), "contain")
	if err != nil || sum(rule.Acted) != 1 || sum(rule.Left) != 1 || rule.Decisions[0].Reason != "suppressed" || len(rule.Tests) != 1 || len(rule.Jobs) != 1 {
		t.Errorf("the rule: %+v, %v", rule, err)
	}
	if !strings.Contains(rule.Text, "evil.exe") || strings.Contains(rule.Text, "fails.exe") || !strings.Contains(rule.Suppression, "1 time in 1h0m0s for the same sensor.id") {
		t.Errorf("the rule's text is %q, its suppression %q", rule.Text, rule.Suppression)
	}
	event, err := c.Event(t.Context(), rule.Decisions[0].Event)
	if err != nil || event.Kind != web.BecameNoJob || len(event.Decisions) != 1 || len(event.Rules) != 2 || event.Rules[0].Verdict != web.RuleMatches || event.Rules[1].Verdict != web.RuleNot {
		t.Errorf("the event: %+v, %v", event, err)
	}
	test, err := c.JobTest(t.Context(), job.ID)
	if err != nil || test.Name != "contain_test.yaml" || !strings.Contains(test.Text, "rule: contain") || !strings.Contains(test.Text, "evil.exe") {
		t.Errorf("the job as a test: %+v, %v", test, err)
	}
}

func sum(values []float64) (n float64) {
	for _, v := range values {
		n += v
	}
	return n
}

// TestFailedJobsNeedPeople, whose rule is named, until somebody has run them again.
func TestFailedJobsNeedPeople(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, strings.Split(isolates, "tests:")[0], "").run()
	r.publish(strings.ReplaceAll(start(1, 1), "evil", "fails"), strings.ReplaceAll(start(1, 2), "evil", "fails"))
	needs := func(text string) bool {
		o, err := r.Service.console.Overview(t.Context(), 1)
		return err == nil && hasNeed(o.Needs, "failed", text)
	}
	await(t, time.Minute, "the need", func() bool { return needs("2 jobs of rule breaks failed") })
	for _, j := range r.jobs("failed") {
		if _, err := r.Service.console.Retry(t.Context(), web.User{Name: "ada"}, j.ID, "again"); err != nil {
			t.Fatal(err)
		}
	}
	await(t, time.Minute, "only the last ones count", func() bool { return len(r.jobs("failed")) == 4 && needs("2 jobs of rule breaks failed") })
}

// TestChecksOfListsAndGuards: a list whose newest file is not in force and a guard on a
// fact that no endpoint has are degraded, and name what to do.
func TestChecksOfListsAndGuards(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	p.write("rules/lists/bad.txt", "one.example\ntwo.example\nthree.example\nfour.example\n")
	p.write("guards.yaml", "protected:\n  - { name: crown, sensors: sensor.criticality >= 3, deny: [isolate] }\n  - { name: windows, sensors: sensor.os == \"windows\", deny: [ban_hash] }\n")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"\nguards: "+p.dir+"/guards.yaml\n")
	r := p.run()
	await(t, time.Minute, "the check of the guards", func() bool {
		c := r.check("guard_facts")
		return c.State == health.Degraded && strings.Contains(c.Evidence, "crown reads sensor.criticality") && !strings.Contains(c.Evidence, "windows") && strings.Contains(c.Cure, "endpoints file")
	})
	if c := r.check("lists"); c.State != health.OK {
		t.Errorf("the check of good lists: %+v", c)
	}
	for text, want := range map[string]string{"": "bad.txt: the list is empty", "one.example\n": "bad.txt: the list has 1 entry, and had 4"} {
		p.write("rules/lists/bad.txt", text)
		await(t, time.Minute, "the check of the lists: "+want, func() bool {
			c := r.check("lists")
			return c.State == health.Degraded && strings.Contains(c.Evidence, want) && strings.Contains(c.Cure, "lists.max_shrink") && !c.Since.IsZero()
		})
	}
}
