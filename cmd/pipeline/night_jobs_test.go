package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/edrsim"
)

const nightAsks = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: list_processes, approval: { require: 1, within: 1h } } ]
`

const nightOnce = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: create_process, with: { program: 'c:\windows\system32\cmd.exe', flags: [/c, echo night] }, timeout: 2m } ]
`

const nightFails = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: get_file, with: { path: 'c:\temp\dropped.txt' } } ]
`

const nightFact = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: process.name == "evil.exe" and sensor.os == "windows"
    steps: [ { uses: list_processes } ]
`

// nightJobs are the situations of jobs that wait for people, or ended badly.
func nightJobs() []situation {
	return []situation{
		{
			name: "approval waiting", fault: "an event of a rule whose step has to be approved", looks: time.Second, interval: "at once", short: true,
			setup:  func(*testing.T) nightSetup { return nightSetup{files: map[string]string{"rules/evil.yaml": nightAsks}} },
			strike: func(w *nightWorld) { w.attack() },
			health: `ok approvals: 1 job waits for the answer of a person → [^→]*pipeline jobs approve`, page: `needs you: 1 approval waits`, why: `held: approval.*`,
			cure: "`pipeline jobs approve JOB`", heal: func(w *nightWorld) {
				if status, out := w.pipelineAs("approver.token", "jobs", "approve", w.job, "--why", "seen it"); status != exitOK {
					w.t.Fatal(out)
				}
			},
		},
		{
			name: "outcome unknown after a crash", fault: "the service is killed (-9) while a program runs on the endpoint, and started again; the answer of the server is lost", looks: 15 * time.Second, interval: "the claim of the killed process ends after `jobs.take_over`, 10 s",
			setup: func(*testing.T) nightSetup {
				slow := edrsim.Latency{Min: 20 * time.Second, Max: 20 * time.Second}
				return nightSetup{
					sim:   edrsim.Config{Fleet: []edrsim.SensorSpec{{Hostname: "WKS-0001", Commands: map[string]edrsim.Latency{"create process": slow}}, {Hostname: "WKS-0002"}}, Quirks: edrsim.Quirks{"closed-session": "gone"}},
					files: map[string]string{"rules/evil.yaml": nightOnce},
				}
			},
			strike: func(w *nightWorld) {
				w.attack()
				w.await("the program runs", func() bool {
					sessions := w.sim.State().Sessions
					return len(sessions) == 1 && sessions[0].Waiting == 1
				})
				w.end(syscall.SIGKILL)
				c := otherClient(w)
				sessions, err := c.Sessions(w.t.Context())
				if err != nil || len(sessions) == 0 {
					w.t.Fatal(sessions, err)
				}
				if err := c.CloseSession(w.t.Context(), sessions[0].ID); err != nil {
					w.t.Fatal(err)
				}
				w.start()
			},
			health: `degraded jobs since .* 1 job ended without a known outcome → look at the endpoint, then pipeline jobs resolve`, page: `needs you: 1 job ended without a known outcome`, why: `unknown .*`,
			cure: "`pipeline jobs resolve JOB --outcome never`, after a look at the endpoint", heal: func(w *nightWorld) {
				w.do("jobs", "resolve", w.job, "--outcome", "settled", "--why", "looked at it")
			},
			healed: func(w *nightWorld) bool { return true },
		},
		{
			name: "jobs of a rule fail again and again", fault: "three events of a rule whose file is not on the endpoints", looks: 5 * time.Second, interval: "every 5 s after a failure",
			setup: func(*testing.T) nightSetup {
				return nightSetup{files: map[string]string{"rules/evil.yaml": nightFails}}
			},
			strike: func(w *nightWorld) {
				for range 3 {
					w.attack()
				}
			},
			health: `degraded jobs since .* 3 jobs of rule evil failed within the last hour, the last one: [^→]*→ mend what the reason says`, page: `needs you: 3 jobs of rule evil failed within the last hour`, why: `failed .*dropped.txt.*`,
			cure: "mend what the reason names, then `pipeline jobs retry JOB…`", heal: func(w *nightWorld) {
				if err := w.sim.WriteFile(1, `c:\temp\dropped.txt`, []byte("here")); err != nil {
					w.t.Fatal(err)
				}
				args := []string{"jobs", "retry"}
				for _, j := range w.jobs("failed") {
					args = append(args, j.ID)
				}
				w.do(args...)
			},
			healed: func(w *nightWorld) bool { return len(w.jobs("succeeded")) == 3 },
		},
		{
			name: "another host under the sensor's number", fault: "the sensor was reinstalled: the server's record has another host name than the event", looks: time.Second, interval: "at once",
			strike: func(w *nightWorld) {
				e := w.process(1)
				e["computer_name"] = "OLD-LAPTOP"
				w.post(e)
				w.await("the job", func() bool { return len(w.jobs("")) == 1 })
				w.job = w.jobs("")[0].ID
			},
			health: `ok approvals: 1 job waits for the answer of a person`, page: `needs you: 1 approval waits`, why: `held: other_host: .*OLD-LAPTOP.*WKS-0001|held: other_host: .*WKS-0001.*OLD-LAPTOP`,
			cure: "compare the names, then `pipeline jobs approve JOB` (or `deny`)", heal: func(w *nightWorld) {
				if status, out := w.pipelineAs("approver.token", "jobs", "approve", w.job, "--why", "it is the same computer"); status != exitOK {
					w.t.Fatal(out)
				}
			},
		},
		{
			name: "a fact pending because its server is silent", fault: "the service starts while the EDR server answers nothing, and the rule asks for the endpoint's OS; an event comes", looks: hangsAfter, interval: hangsText,
			setup: func(*testing.T) nightSetup { return nightSetup{files: map[string]string{"rules/evil.yaml": nightFact}} },
			strike: func(w *nightWorld) {
				w.end(syscall.SIGTERM)
				w.door.hang()
				w.start()
				w.attack()
			},
			health: `failed edr/hq since .* timeout: `, page: `edr/hq: failed: timeout`, why: `held: fact_pending: .*sensor.os.*server hq does not work since \S+ \(timeout\)`,
			cure: "restart the EDR server; nothing has to be done here", heal: func(w *nightWorld) { w.door.answer(nil) },
		},
	}
}

// nightInput are the situations of events that arrive and cannot be acted on.
func nightInput() []situation {
	var bus *nightNATS
	return []situation{
		{
			name: "events of another server", fault: "events name the server `cbserver`, which `accept` does not have", looks: 2 * time.Second, interval: "at once", short: true,
			strike: func(w *nightWorld) {
				e := w.process(1)
				e["cb_server"] = "cbserver"
				w.post(e)
			},
			health: `degraded other_server since .* 1 event names? the server cbserver, which no configured server accepts[^→]* → add the name to accept`, page: `other_server works less than it should: 1 events? names? the server cbserver`,
			why:  `other_server.*"cbserver".*no configured server accepts`,
			cure: "add `accept: [hq, cbserver]` to the server in `pipeline.yaml`, and restart: `systemctl restart edrpipe`", heal: func(w *nightWorld) {
				w.edit("pipeline.yaml", "sensor_poll: 1s", "sensor_poll: 1s, accept: [hq, cbserver]")
				w.end(syscall.SIGTERM)
				w.start()
			},
			healed: func() func(*nightWorld) bool {
				sent := false
				return func(w *nightWorld) bool {
					if !sent {
						sent = true
						e := w.process(1)
						e["cb_server"] = "cbserver"
						w.post(e)
					}
					return len(w.jobs("succeeded")) == 1
				}
			}(),
		},
		{
			name: "dead letters", fault: "a sender's message is cut in the middle", looks: 2 * time.Second, interval: "every 2 s",
			setup: func(t *testing.T) nightSetup { bus = newNightNATS(t); return bus.setup() },
			strike: func(w *nightWorld) {
				bus.do(func(js jetstream.JetStream) error {
					_, err := js.Publish(w.t.Context(), "edr.events.hq.process", []byte(`{"type":"ingress.event.procstart","sensor_id":1,`))
					return err
				})
			},
			health: `degraded dead_letters since .* input could not be used and is kept: 1 dead letters, the newest: \S+: [^→]* → look with pipeline events dead list`, page: `dead_letters works less than it should: input could not be used`,
			why: `1 .*bad_json.*|bad_json`, ask: func(w *nightWorld) (int, string) { return w.pipeline("events", "dead", "list") },
			cure: "have the sender mended; `pipeline events dead purge --all` (or `replay`, where the cause was here)", heal: func(w *nightWorld) { w.do("events", "dead", "purge", "--all") }, healed: acts(),
		},
		{
			name: "the clock of a sender is wrong", fault: "events carry the time of two days ago, and the rule has `max_age: 1h`", looks: time.Second, interval: "at once",
			setup: func(*testing.T) nightSetup {
				return nightSetup{files: map[string]string{"rules/evil.yaml": strings.Replace(nightRule, "    steps:", "    max_age: 1h\n    steps:", 1)}}
			},
			strike: func(w *nightWorld) {
				e := w.process(1)
				e["timestamp"] = time.Now().Add(-48 * time.Hour).Unix()
				w.post(e)
			},
			health: "— one old event is no fault of the service", page: `no_job too_old .*48h0m\d*s before it arrived, and max_age is 1h0m0s`, why: `no job too_old: .*48h0m\d*s before it arrived, and max_age is 1h0m0s; are the clocks`,
			ask:  func(w *nightWorld) (int, string) { return w.pipeline("why", w.event) },
			look: eventLook,
			cure: "set the sender's clock (NTP)", heal: func(*nightWorld) {}, healed: acts(),
		},
	}
}

// edit replaces a text in a file.
func (w *nightWorld) edit(name, from, to string) {
	w.t.Helper()
	text := w.read(name)
	if !strings.Contains(text, from) {
		w.t.Fatalf("%s has no %q", name, from)
	}
	w.write(name, strings.Replace(text, from, to, 1))
}
