package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/console"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/jobs"
)

// newServersPlace is newPlace with several servers. settings are further keys of each
// entry, by name; more are further lines of the file.
func newServersPlace(t *testing.T, sims map[string]*edrsim.Server, rules string, settings map[string]string, more string) *place {
	t.Helper()
	p := newPlace(t, edrsim.New(edrsim.Config{}), rules, "")
	text := fmt.Sprintf(`
data: %[1]s/data
rules: [%[1]s/rules]
grace: 5s
bus: { sync: 0s }
web: { listen: "127.0.0.1:0" }
jobs: { take_over: 5s }
servers:
`, p.dir)
	for name, sim := range sims {
		p.write(name+".token", sim.Token)
		text += fmt.Sprintf("  - { name: %s, url: %q, token_file: %s/%s.token, sensor_poll: 500ms%s }\n", name, sim.URL, p.dir, name, settings[name])
	}
	p.write("pipeline.yaml", text+strings.ReplaceAll(more, "DIR", p.dir))
	return p
}

// of is start on another server's name; "" names none.
func of(server, line string) string {
	if server == "" {
		return strings.Replace(line, `,"cb_server":"sim"`, "", 1)
	}
	return strings.Replace(line, `"cb_server":"sim"`, `"cb_server":"`+server+`"`, 1)
}

// publishOn puts events on the bus on the subject of a server; "" is that of none.
func (r running) publishOn(server string, lines ...string) {
	r.t.Helper()
	for i, line := range lines {
		m := jetstream.Encode(jetstream.Prefix, events.Message{Body: []byte(line), ContentType: "application/json", Server: server})
		m.Header.Set("Nats-Msg-Id", fmt.Sprintf("%s-%d-%d", r.t.Name(), time.Now().UnixNano(), i))
		if _, err := r.bus.JetStream().PublishMsg(r.t.Context(), m); err != nil {
			r.t.Fatal(err)
		}
	}
}

// fleetOf starts a simulator whose hosts have the names that start gives them.
func fleetOf(t *testing.T, n int) *edrsim.Server {
	t.Helper()
	sim := edrsim.New(edrsim.Config{Sensors: n, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	return sim
}

// TestAnEventOfAnotherServerMakesNoJob: the id means something on its own server only.
// The refusal is counted by name, told by why, and said to people with what to do.
func TestAnEventOfAnotherServerMakesNoJob(t *testing.T) {
	t.Parallel()
	r := newPlace(t, fleetOf(t, 2), listProcesses, "").run()
	foreign := of("edr-b.example", start(1, 7))
	r.publishOn("", foreign, of("EDR-B.example", start(1, 8)), of("sim", start(2, 9)))
	await(t, 20*time.Second, "our own event's job", func() bool { return len(r.jobs("ended")) == 1 })
	await(t, 20*time.Second, "two refusals", func() bool { return console.ByLabel(r.metrics.Decisions, "reason")["other_server"] == 2 })
	if all := r.jobs(""); len(all) != 1 || all[0].Sensor != "2" || all[0].Server != "sim" {
		t.Errorf("jobs: %+v", all)
	}
	if got := console.ByLabel(r.metrics.OtherServer, "server"); got["edr-b.example"] != 1 || got["EDR-B.example"] != 1 {
		t.Errorf("counted by name: %v", got)
	}
	why, err := r.Service.console.Why(t.Context(), findID(t, foreign), web.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(why.Lines); !strings.Contains(text, "other_server") || !strings.Contains(text, `"edr-b.example"`) || strings.Contains(text, "succeeded") {
		t.Errorf("why says %s", text)
	}
	for _, said := range []string{fmt.Sprint(r.health(t.Context())), overviewText(t, r)} {
		if want := "1 event names the server edr-b.example, which no configured server accepts: add it to accept"; !strings.Contains(said, want) {
			t.Errorf("people are not told %q: %s", want, said)
		}
	}
}

func overviewText(t *testing.T, r running) string {
	t.Helper()
	o, err := r.Service.console.Overview(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(o.Checks)
}

// TestEachEventActsOnItsOwnServer: the same ids on two servers; the name in the event
// counts, then the source's binding, and neither is no job.
func TestEachEventActsOnItsOwnServer(t *testing.T) {
	t.Parallel()
	sims := map[string]*edrsim.Server{"hq": fleetOf(t, 9), "branch": fleetOf(t, 9)}
	r := newServersPlace(t, sims, listProcesses, map[string]string{"hq": ", accept: [cbserver]"},
		"sources: { http: { token_file: DIR/ingest.token, server: branch } }\n").run()
	want := map[string]string{}
	acts := func(server string, sensor int, publish func(line string)) {
		want[fmt.Sprint(sensor)] = server
		publish(start(sensor, 100+sensor))
	}
	acts("hq", 1, func(l string) { r.publishOn("", of("cbserver", l)) })
	acts("branch", 2, func(l string) { r.publishOn("", of("branch", l)) })
	acts("hq", 3, func(l string) { r.publishOn("hq", of("", l)) })
	acts("branch", 4, func(l string) { r.publishOn("hq", of("branch", l)) }) // the event goes before its subject
	acts("branch", 6, func(l string) {
		if got := r.post(of("", l)); got != 200 {
			t.Errorf("post: %d", got)
		}
	})
	acts("hq", 7, func(l string) {
		if got := r.post(of("cbserver", l)); got != 200 {
			t.Errorf("post: %d", got)
		}
	})
	r.publishOn("", of("", start(5, 105)))        // says nothing
	r.publishOn("", of("hq", start(8, 108)))      // a configured name, not one that events use
	r.publishOn("branch", of("x", start(9, 109))) // what it says is none of ours, whatever its subject
	await(t, 30*time.Second, "the jobs", func() bool { return len(r.jobs("ended")) == len(want) })
	await(t, 20*time.Second, "three refusals", func() bool { return console.ByLabel(r.metrics.Decisions, "reason")["other_server"] == 3 })
	for _, j := range r.jobs("") {
		if want[string(j.Sensor)] != j.Server || j.State != jobs.Succeeded {
			t.Errorf("sensor %s: %s on %s (%s), want %s", j.Sensor, j.State, j.Server, j.Detail, want[string(j.Sensor)])
		}
	}
	for name, sim := range sims {
		for _, s := range sim.State().Sessions {
			if got := want[fmt.Sprint(s.SensorID)]; got != name {
				t.Errorf("server %s had a session on sensor %v, which is meant on %q", name, s.SensorID, got)
			}
		}
	}
}
