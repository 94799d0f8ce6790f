package main

import (
	"testing"
	"time"
)

const nightIsolate = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: isolate } ]
`

// nightGuards are the situations of guards and switches.
func nightGuards() []situation {
	return []situation{
		{
			name: "guard on a fact that no endpoint has", fault: "a guard reads `sensor.criticality`, and the endpoints file says it of none; an event comes", looks: 4 * time.Second, interval: "the file every 2 s, the facts 2 s later",
			setup: func(*testing.T) nightSetup {
				return nightSetup{files: map[string]string{"rules/evil.yaml": nightIsolate, "endpoints.yaml": "endpoints: [ { host: \"*\", criticality: 1 } ]\n", "guards.yaml": "protected: [ { name: crown, sensors: sensor.criticality >= 3, deny: [isolate] } ]\n"}}
			},
			strike: func(w *nightWorld) {
				w.write("endpoints.yaml", "endpoints: [ { host: \"*\", tags: [none] } ]\n")
				w.noticed()
				w.attack()
			},
			health: `degraded guard_facts since .* crown reads sensor.criticality[^→]* → write these facts into the endpoints file`, page: `guard_facts works less than it should: .*crown reads sensor.criticality`, why: `held: unknown_fact: .*crown.*sensor.criticality`,
			cure: "say it in the endpoints file: `{ host: \"*\", criticality: 1 }` (or, for one job, `pipeline jobs approve JOB`)",
			heal: func(w *nightWorld) {
				w.write("endpoints.yaml", "endpoints: [ { host: \"*\", criticality: 1 } ]\n")
			},
		},
		{
			name: "breaker open", fault: "the fourth event of a rule whose breaker allows three jobs in ten minutes", looks: 5 * time.Second, interval: "every 5 s",
			setup: func(*testing.T) nightSetup {
				return nightSetup{files: map[string]string{"guards.yaml": "breaker: { jobs: 3, per: 10m }\n"}}
			},
			strike: func(w *nightWorld) {
				for range 4 {
					w.attack()
				}
			},
			health: `degraded breakers since .* evil \(4 jobs within 10m0s, 3 are allowed\) → [^→]*pipeline rules reset`, page: `needs you: the breaker of rule evil is open \(4 jobs within 10m0s`, why: `shadowed shadow breaker: evil: 4 jobs within 10m0s`,
			cure: "`pipeline rules reset evil --why \"they were ours\"`", heal: func(w *nightWorld) { w.do("rules", "reset", "evil", "--why", "they were ours") }, healed: acts(),
		},
		{
			name: "emergency stop on", fault: "`pipeline stop`; an event comes", short: true, looks: time.Second, interval: "every second",
			strike: func(w *nightWorld) { w.do("stop", "--why", "a wave of false alarms"); w.attack() },
			health: `degraded stop since .* everything is stopped by ada: a wave of false alarms → pipeline resume`, page: `needs you: ada stopped everything`, why: `queued: paused: nothing is started now: stopped: .*ada: a wave of false alarms`,
			cure: "`pipeline resume`", heal: func(w *nightWorld) { w.do("resume") },
		},
		{
			name: "dry run on", fault: "`pipeline dry-run on`; an event comes", looks: time.Second, interval: "every second",
			strike: func(w *nightWorld) { w.do("dry-run", "on", "--why", "trying it out"); w.attack() },
			health: `degraded dry_run since .* steps are recorded and not done by ada: trying it out → pipeline dry-run off`, page: `check dry_run: degraded: .*ada: trying it out`, why: `shadowed shadow dry_run: ada: trying it out`,
			cure: "`pipeline dry-run off`", heal: func(w *nightWorld) { w.do("dry-run", "off") }, healed: acts(),
		},
		{
			name: "guards file rejected", fault: "the guards file is saved with a mistake", looks: 2 * time.Second, interval: "every 2 s",
			strike: func(w *nightWorld) { w.write("guards.yaml", "breaker: { failure: 3, per: 10m }\n"); w.attack() },
			health: `degraded guards since .*guards.yaml:1:[^→]*failure[^→]*→ mend the file: pipeline config check`, page: `guards works less than it should: .*guards.yaml:1`,
			why:  "— the guards from before stay in force: the event is acted on",
			cure: "correct the file", heal: func(w *nightWorld) { w.write("guards.yaml", "breaker: { failures: 1000, per: 10m }\n") },
		},
	}
}
