package main

import (
	"strings"
	"testing"
	"time"

	"edrpipe/internal/web"
)

const nightListRule = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: in_list(process.name, "bad")
    steps: [ { uses: list_processes } ]
`

const nightSuppressed = `rules:
  - id: evil
    title: The rule of the night
    on: process_start
    when: process.name == "evil.exe"
    suppress: { key: [sensor.id], for: 1h }
    steps: [ { uses: list_processes } ]
`

const manyNames = "evil.exe\nbad.exe\nworse.exe\nworst.exe\n"

// acts reports whether a new event of the endpoint becomes a job that succeeds.
func acts() func(w *nightWorld) bool {
	sent := false
	return func(w *nightWorld) bool {
		if !sent {
			sent = true
			w.attackOn(2)
		}
		return w.state() == "succeeded"
	}
}

// nightRules are the situations of rule files and lists.
func nightRules() []situation {
	return []situation{
		{
			name: "rules file rejected", fault: "a rules file is saved with a mistake, for a new program; an event of it comes", short: true, looks: 10 * time.Second, interval: "at each change, and every 10 s",
			strike: func(w *nightWorld) {
				w.write("rules/evil.yaml", strings.Replace(nightRule, `process.name == "evil.exe"`, `process.nam == "new.exe"`, 1))
				w.postNew()
			},
			health: `degraded rules since .*evil.yaml:\d+:\d+: [^→]*process.nam[^→]*→ mend the files: pipeline rules check`, page: `needs you: the newest rule files have mistakes .*evil.yaml:\d+`,
			why: `newest rule files .*not in force`, ask: func(w *nightWorld) (int, string) { return w.pipeline("why", "WKS-0001") },
			cure: "correct the file (`pipeline rules check` names line and column)", heal: func(w *nightWorld) {
				w.write("rules/evil.yaml", strings.Replace(nightRule, `"evil.exe"`, `"new.exe"`, 1))
			},
			healed: func(w *nightWorld) bool {
				o, err := w.overview()
				if err != nil || o.RulesError != "" {
					return false
				}
				w.postNew()
				return len(w.jobs("")) > 0
			},
		},
		{
			name: "list emptied", fault: "a feed writes an empty list; an event comes that the list had", looks: 10 * time.Second, interval: "at each change, and every 10 s",
			setup: func(*testing.T) nightSetup {
				return nightSetup{files: map[string]string{"rules/evil.yaml": nightListRule, "rules/lists/bad.txt": manyNames}}
			},
			strike: func(w *nightWorld) { w.write("rules/lists/bad.txt", ""); w.attack() },
			health: `degraded lists since .*bad.txt: the list is empty[^→]*→ mend the files`, page: `lists works less than it should: .*bad.txt: the list is empty`,
			why:  "— the list from before stays in force: the event is acted on",
			cure: "put the list back: `cp bad.txt.before rules/lists/bad.txt`", heal: func(w *nightWorld) { w.write("rules/lists/bad.txt", manyNames) },
		},
		{
			name: "list shrunk", fault: "a feed writes one entry of four; an event comes that the list had", looks: 10 * time.Second, interval: "at each change, and every 10 s",
			setup: func(*testing.T) nightSetup {
				return nightSetup{files: map[string]string{"rules/evil.yaml": nightListRule, "rules/lists/bad.txt": manyNames}}
			},
			strike: func(w *nightWorld) { w.write("rules/lists/bad.txt", "bad.exe\n"); w.attack() },
			health: `degraded lists since .*bad.txt: [^→]*4[^→]*→ mend the files`, page: `lists works less than it should: .*bad.txt`,
			why:  "— the list from before stays in force: the event is acted on",
			cure: "put the list back: `cp bad.txt.before rules/lists/bad.txt` (or raise `lists.max_shrink`)", heal: func(w *nightWorld) { w.write("rules/lists/bad.txt", manyNames) },
		},
		{
			name: "a rule silenced", fault: "somebody silenced the rule for four hours; an event comes", looks: time.Second, interval: "at once",
			strike: func(w *nightWorld) {
				w.do("silence", "add", "--rule", "evil", "--comment", "too loud")
				w.attack()
			},
			health: `ok silences: 1 in force: rule evil by ada until [^→]*too loud[^→]*→ pipeline silence`, page: `denied denied step list_processes: silenced: .*too loud, by ada`, why: `denied step list_processes: silenced: .*too loud, by ada`, look: jobLine,
			cure: "`pipeline silence remove ID`", heal: func(w *nightWorld) {
				var page web.GuardsPage
				if err := w.api.Get(w.t.Context(), "guards", nil, &page); err != nil || len(page.Silences) != 1 {
					w.t.Fatal(page.Silences, err)
				}
				w.do("silence", "remove", page.Silences[0].ID)
			}, healed: acts(),
		},
		{
			name: "a match suppressed", fault: "a second event of the endpoint within the hour of the rule's `suppress`", looks: time.Second, interval: "at once",
			setup: func(*testing.T) nightSetup {
				return nightSetup{files: map[string]string{"rules/evil.yaml": nightSuppressed}}
			},
			strike: func(w *nightWorld) {
				w.attack()
				w.job = ""
				w.post(w.process(1))
			},
			health: "— the rule does what it says", page: `no_job suppressed .*`, why: `no job .*suppressed: .*`,
			ask:  func(w *nightWorld) (int, string) { return w.pipeline("why", w.event) },
			look: eventLook,
			cure: "`pipeline jobs submit --sensor WKS-0001 --uses list_processes`, where it has to be done all the same",
			heal: func(w *nightWorld) {
				w.do("jobs", "submit", "--sensor", "WKS-0001", "--uses", "list_processes", "--wait")
				w.job = w.jobs("")[0].ID
			},
		},
	}
}

// postNew posts the start of new.exe, which no rule in force wants.
func (w *nightWorld) postNew() {
	e := w.process(1)
	e["path"], e["process_path"] = `c:\temp\new.exe`, `c:\temp\new.exe`
	w.post(e)
}

// eventLook is what the page of the event shows of what became of it.
func eventLook(w *nightWorld) []string {
	var page web.EventPage
	if err := w.api.Get(w.t.Context(), "events/"+w.event, nil, &page); err != nil {
		return []string{err.Error()}
	}
	text := []string{string(page.Kind)}
	for _, d := range page.Decisions {
		text = append(text, d.Reason, d.Detail)
	}
	return []string{strings.Join(text, " ")}
}
