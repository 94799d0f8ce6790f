package service

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/console"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/jobs"
)

// running is the service in the test's own process.
type running struct {
	*Service
	t *testing.T
}

// run opens the place's service and runs it until the test ends.
func (p *place) run() running {
	p.t.Helper()
	cfg, _, err := config.Load(filepath.Join(p.dir, "pipeline.yaml"), nil, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.runWith(cfg, zerolog.New(zerolog.NewTestWriter(p.t)).Level(zerolog.ErrorLevel))
}

// open opens the place's service without running it.
func (p *place) open() (*Service, error) {
	p.t.Helper()
	cfg, _, err := config.Load(filepath.Join(p.dir, "pipeline.yaml"), nil, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return Open(p.t.Context(), cfg, "test", zerolog.Nop())
}

func (p *place) runWith(cfg config.Config, log zerolog.Logger) running {
	p.t.Helper()
	s, err := Open(p.t.Context(), cfg, "test", log)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.tune != nil {
		p.tune(s)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(p.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	p.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			p.t.Errorf("run: %v", err)
		}
		if err := s.Close(); err != nil {
			p.t.Errorf("close: %v", err)
		}
	})
	return running{s, p.t}
}

// publish puts forwarder lines on the bus, each with an id of its own, so that the
// stream's duplicate window does not hide what the service does with repetitions.
func (r running) publish(lines ...string) {
	r.t.Helper()
	for i, line := range lines {
		m := jetstream.Encode(jetstream.Prefix, events.Message{Body: []byte(line), ContentType: "application/json", Server: "sim"})
		m.Header.Set("Nats-Msg-Id", fmt.Sprintf("%s-%d-%d", r.t.Name(), time.Now().UnixNano(), i))
		if _, err := r.bus.JetStream().PublishMsg(r.t.Context(), m); err != nil {
			r.t.Fatal(err)
		}
	}
}

// post sends an event as the forwarder does.
func (r running) post(event string) (status int) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.URL()+"/v1/ingest", strings.NewReader(event))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+ingestToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// notReady is what the checks of the bus and its disk say; empty while they are good.
func (r running) notReady() string {
	for _, c := range r.health(r.t.Context()) {
		if (c.Name == "bus" || c.Name == "disk") && !c.Ready() {
			return c.Evidence + " " + c.Cure
		}
	}
	return ""
}

func (r running) jobs(state string) []web.JobLine {
	r.t.Helper()
	list, err := r.Service.console.Jobs(r.t.Context(), web.JobQuery{State: state})
	if err != nil {
		r.t.Fatal(err)
	}
	return list.Jobs
}

func (r running) dead() (all []jetstream.Dead) {
	r.t.Helper()
	err := r.intake.Dead.List(r.t.Context(), "", func(d jetstream.Dead) error { all = append(all, d); return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

const listProcesses = `
rules:
  - id: list
    on: process_start
    when: process.name == "evil.exe"
    suppress: { key: [process.guid], for: 1m }
    steps: [ { uses: list_processes } ]
`

func TestWhatArrivesIsAccountedFor(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, listProcesses, "").run()
	same := start(1, 7)
	nobody := `{"type":"ingress.event.procstart","timestamp":` + fmt.Sprint(time.Now().Unix()) + `,"pid":9,"path":"c:\\temp\\evil.exe","cb_server":"sim"}`
	r.publish(same, same, nobody, `{"type":"ingress.event.procstart","sensor_id":1,`, start(2, 8))
	await(t, 20*time.Second, "two jobs", func() bool { return len(r.jobs("ended")) == 2 })
	for _, j := range r.jobs("") {
		if j.State != jobs.Succeeded {
			t.Errorf("job %s is %s: %s %s", j.ID, j.State, j.Reason, j.Detail)
		}
	}
	if got := len(r.jobs("")); got != 2 {
		t.Errorf("jobs = %d, want 2: one for the event that came twice, one for the last", got)
	}
	dead := r.dead()
	if len(dead) != 1 || dead[0].Reason != string(events.BadJSON) {
		t.Errorf("dead letters = %+v, want the broken one", dead)
	}
	if got := console.ByLabel(r.metrics.Decisions, "reason")["no_sensor"]; got != 1 {
		t.Errorf("events without a sensor = %v, want 1", got)
	}
	why, err := r.Service.console.Why(t.Context(), findID(t, nobody), web.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(why.Lines); !strings.Contains(text, "no_sensor") {
		t.Errorf("why says %s", text)
	}
}

// findID is the id of the one event in a line.
func findID(t *testing.T, line string) string {
	t.Helper()
	found, rejects := new(events.Decoder).Decode(&events.Message{Body: []byte(line), ContentType: "application/json", Server: "sim"})
	if len(found) != 1 || len(rejects) != 0 {
		t.Fatalf("events %v, rejects %v", found, rejects)
	}
	return found[0].Event.ID
}

// TestEveryJobEnds whatever fails: each case is a fleet, a server or a sensor on
// which the job cannot do what it should.
func TestEveryJobEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sim    edrsim.Config
		sensor int
		rule   string
		want   []jobs.State
	}{
		"unknown sensor":         {sim: edrsim.Config{Sensors: 1}, sensor: 99, want: []jobs.State{jobs.Failed}},
		"every session refused":  {sim: edrsim.Config{Sensors: 1, Faults: edrsim.Faults{"500": 1}}, sensor: 1, want: []jobs.State{jobs.Expired, jobs.Failed}},
		"half of it goes wrong":  {sim: edrsim.Config{Sensors: 1, Faults: edrsim.Faults{"500": .3, "reset": .2}, Seed: 3}, sensor: 1, want: []jobs.State{jobs.Succeeded, jobs.Expired, jobs.Failed}},
		"never checks in":        {sim: edrsim.Config{Fleet: []edrsim.SensorSpec{{Power: edrsim.Power{AsleepUntil: 1000 * time.Hour}}}}, sensor: 1, want: []jobs.State{jobs.Expired}},
		"no live response":       {sim: edrsim.Config{Fleet: []edrsim.SensorSpec{{NoLive: true}}}, sensor: 1, want: []jobs.State{jobs.Failed}},
		"the file is not there":  {sim: edrsim.Config{Sensors: 1}, sensor: 1, rule: `{ uses: get_file, with: { path: 'c:\nothing' } }`, want: []jobs.State{jobs.Failed}},
		"live response disabled": {sim: edrsim.Config{Sensors: 1, Quirks: edrsim.Quirks{"cblr": "disabled"}}, sensor: 1, want: []jobs.State{jobs.Failed, jobs.Expired}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.sim.CheckIn = 20 * time.Millisecond
			sim := edrsim.New(tc.sim).Start()
			defer sim.Close()
			step := tc.rule
			if step == "" {
				step = "{ uses: list_processes }"
			}
			rule := "rules:\n  - { id: r, on: process_start, when: true, offline: { wait: 3s }, steps: [ " + step + " ] }\n"
			r := newPlace(t, sim, rule, "").run()
			r.publish(start(tc.sensor, 7))
			await(t, time.Minute, "an end", func() bool { return len(r.jobs("ended")) == 1 })
			j := r.jobs("")[0]
			for _, want := range tc.want {
				if j.State == want {
					return
				}
			}
			t.Errorf("job ended as %s (%s: %s), want %v", j.State, j.Reason, j.Detail, tc.want)
		})
	}
}

// TestGuardsReloadWholeOrNotAtAll: a guards file with mistakes leaves the guards as
// they were, and a good one is in force without a restart.
func TestGuardsReloadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	const protect = "protected: [ { name: all, sensors: \"true\", deny: [list_processes] } ]\n"
	p.write("guards.yaml", protect)
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"\nguards: "+p.dir+"/guards.yaml\n")
	r := p.run()
	p.write("guards.yaml", "protected: [ { name: all, sensors: \"tru\", deny: [list_processes] } ]\n")
	if err := r.Reload(); err == nil {
		t.Error("a guards file with a mistake was taken")
	}
	if got := len(r.guard.Policy().Protected); got != 1 {
		t.Errorf("guards after a bad file = %d, want the one from before", got)
	}
	p.write("guards.yaml", "budgets: [ { name: few, actions: [list_processes], times: 5, per: 1h } ]\n")
	await(t, 10*time.Second, "the new guards", func() bool { return len(r.guard.Policy().Budgets) == 1 })
}

// Under a stop jobs keep their place in line and say why they wait; after it they
// go on at once, not when somebody looks at them again.
func TestStopKeepsTheLine(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, listProcesses, "").run()
	c, ada := r.Service.console, web.User{Name: "ada"}
	if err := c.Stop(t.Context(), ada, web.Switching{Why: "somebody is looking"}); err != nil {
		t.Fatal(err)
	}
	await(t, 20*time.Second, "the stop", func() bool { return strings.Contains(r.fleet.Stats().Paused, "by ada") })
	r.publish(start(1, 7))
	await(t, 20*time.Second, "a job", func() bool { return len(r.jobs("live")) == 1 })
	waiting := r.jobs("live")[0]
	if waiting.State != jobs.Queued || waiting.Reason != jobs.ReasonPaused || !strings.Contains(waiting.Detail, "by ada: somebody is looking") {
		t.Errorf("the job is %s: %s: %s", waiting.State, waiting.Reason, waiting.Detail)
	}
	if err := c.Resume(t.Context(), ada, web.Switching{}); err != nil {
		t.Fatal(err)
	}
	await(t, 20*time.Second, "its end", func() bool { return len(r.jobs("ended")) == 1 })
	j, err := r.fleet.Get(t.Context(), waiting.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range j.History {
		if tr.Reason == jobs.Reason("stopped") {
			t.Errorf("it was parked, to be looked at later: %+v", j.History)
		}
	}
}

// TestAnEventTooLargeForItsRecord is acted on, with its message kept whole, and holds
// up no other message.
func TestAnEventTooLargeForItsRecord(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, listProcesses, "").run()
	large := strings.Replace(start(1, 7), `"pid"`, `"command_line":"`+strings.Repeat(`\u0001`, 400_000)+`","pid"`, 1)
	if !strings.Contains(large, `\u0001`) {
		t.Fatal("the event has no pid")
	}
	r.publish(large, start(2, 8))
	await(t, 20*time.Second, "both jobs", func() bool { return len(r.jobs("ended")) == 2 })
	letters := r.dead()
	if len(letters) != 1 || letters[0].Reason != "clipped_event" || len(letters[0].Message.Body) != len(large) {
		t.Errorf("dead letters: %+v", letters)
	}
}
