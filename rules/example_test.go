package rules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/rules"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "rules")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "shell.yaml")
	err = os.WriteFile(file, []byte(`
rules:
  - id: office-shell
    on: process_start
    when: process.name == "cmd.exe" && process.parent.name == "winword.exe"
    vars: { who: lower(process.user) }
    steps: [ { uses: isolate, with: { reason: "${{ vars.who }} opened a bad document" } } ]
`), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := rules.Load(dir)
	if err != nil {
		fmt.Println(err) // every problem of every file, with its place
		return
	}
	matches, _ := set.Match(&events.Event{
		Event:   events.Meta{Type: "ingress.event.procstart", Kind: events.ProcessStart, Time: time.Now()},
		Sensor:  events.Sensor{ID: "42"},
		Process: events.Process{Name: "cmd.exe", User: `CORP\Eve`, Parent: events.Parent{Name: "winword.exe"}},
	})
	for _, m := range matches {
		fmt.Println(m.Rule.ID, m.Endpoints[0].ID, m.Vars["who"])
	}
	// Output: office-shell 42 corp\eve
}
