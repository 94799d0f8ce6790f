package actions

import (
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/expression"
)

func site() Site {
	return Site{Vars: []expression.Field{{Name: "who", Type: expression.TextType}, {Name: "n", Type: expression.IntType}}}
}

func TestCompileTakesAGoodChain(t *testing.T) {
	steps := []Step{
		{Uses: "get_file", With: map[string]any{"path": "${{ process.path }}"}, OnError: "continue"},
		{ID: "kill", Uses: "kill_process", With: map[string]any{"pid": "${{ process.pid }}", "guid": "${{ process.guid }}"}, If: `steps.get_file.output.artifact.sha256 != "" && vars.n > 1`},
		{Parallel: []Step{
			{ID: "iso", Uses: "isolate", If: `sensor.group not in ["Domain Controllers"]`, UndoAfter: 4 * time.Hour, Approval: &Approval{If: `sensor.type == "server"`}},
			{Uses: "list_processes"},
		}},
		{Uses: "collect", Foreach: "steps.list_processes.output.processes", With: map[string]any{"paths": []any{"${{ item.path }}"}}},
		{Uses: "publish", If: "always() && steps.iso.status == 'ok'", With: map[string]any{"subject": "done", "body": map[string]any{
			"host": "${{ sensor.hostname }}", "by": "${{ vars.who }} of ${{ rule.id }}", "files": "${{ map(steps.collect.output, .count) }}",
		}}},
		{ID: "each", Uses: "list_processes", Foreach: "sensor.ids", Sensor: "item"},
		{Uses: "get_file", Sensor: "sensor.ids[0]", With: map[string]any{"path": "c:\\fixed", "count": 10}},
		{Uses: "publish", With: map[string]any{"subject": "text", "body": "$${{ not an expression }}"}},
	}
	Number(steps)
	for _, p := range Compile(steps, site()) {
		t.Errorf("%v", p)
	}
	failure := []Step{{ID: "tell", Uses: "publish", With: map[string]any{"subject": "failed", "body": "${{ failed.id }}: ${{ failed.error }} ${{ steps.kill.status }}"}}}
	for _, p := range Compile(failure, Site{Before: steps, Failure: true}) {
		t.Errorf("on_failure: %v", p)
	}
}

func TestCompileFindsMistakes(t *testing.T) {
	get := Step{ID: "grab", Uses: "get_file", With: map[string]any{"path": "/a"}}
	uses := func(action string, with map[string]any) []Step { return []Step{{ID: "x", Uses: action, With: with}} }
	cases := []struct {
		name  string
		steps []Step
		path  string
		text  string
		hint  string
	}{
		{"action", uses("get_fil", nil), "[0].uses", `no action "get_fil"`, `did you mean "get_file"?`},
		{"nothing to do", []Step{{ID: "x"}}, "[0]", "does nothing", ""},
		{"parameter", uses("get_file", map[string]any{"path": "/a", "pth": "b"}), "[0].with.pth", "no parameter", `did you mean "path"?`},
		{"parameter missing", uses("get_file", nil), "[0].with", `"path" is missing`, ""},
		{"type of a literal", uses("get_file", map[string]any{"path": "/a", "count": "x"}), "[0].with.count", "want whole number", ""},
		{"type of a template", uses("kill_process", map[string]any{"pid": "${{ process.path }}", "guid": "g"}), "[0].with.pid", "this is text, but must be a whole number", ""},
		{"type of an item", uses("collect", map[string]any{"paths": []any{"/a", "${{ process.pid }}"}}), "[0].with.paths[1]", "this is a whole number, but must be text", "with other text beside it"},
		{"field", uses("get_file", map[string]any{"path": "${{ process.pth }}"}), "[0].with.path", `no field "pth"`, "did you mean"},
		{"output", []Step{get, {ID: "x", Uses: "publish", With: map[string]any{"subject": "s", "body": "${{ steps.grab.output.artifact.sha }}"}}}, "[1].with.body", `no field "sha"`, ""},
		{"step id", []Step{get, {ID: "x", Uses: "isolate", If: `steps.grap.status == "ok"`}}, "[1].if", `"grap"`, "grab"},
		{"later step", []Step{{ID: "x", Uses: "isolate", If: `steps.grab.status == "ok"`}, get}, "[0].if", `"grab"`, ""},
		{"its own output", []Step{{ID: "x", Uses: "isolate", If: `steps.x.status == "ok"`}}, "[0].if", `"x"`, ""},
		{"sibling", []Step{{ID: "p", Parallel: []Step{get, {ID: "x", Uses: "isolate", If: `steps.grab.status == "ok"`}}}}, "[0].parallel[1].if", `"grab"`, ""},
		{"condition is not bool", []Step{{ID: "x", Uses: "isolate", If: "process.pid"}}, "[0].if", "true or false", ""},
		{"condition of an approval", []Step{{ID: "x", Uses: "isolate", Approval: &Approval{If: "sensor.typ == 'server'"}}}, "[0].approval.if", `"typ"`, "sensor.type"},
		{"after always()", []Step{{ID: "x", Uses: "isolate", If: "always() && sensor.idd == 1"}}, "[0].if", `"idd"`, ""},
		{"variable", uses("publish", map[string]any{"subject": "s", "body": "${{ vars.whom }}"}), "[0].with.body", `"whom"`, "vars.who"},
		{"item outside a foreach", uses("publish", map[string]any{"subject": "s", "body": "${{ item }}"}), "[0].with.body", `"item"`, ""},
		{"foreach over text", []Step{{ID: "x", Uses: "isolate", Foreach: "process.path"}}, "[0].foreach", "this is text", ""},
		{"sensor", []Step{{ID: "x", Uses: "isolate", Sensor: "process.pid"}}, "[0].sensor", "this is a whole number", ""},
		{"twice the same id", []Step{get, get}, "[1].id", "is taken by the step at [0]", ""},
		{"id", []Step{{ID: "a-b", Uses: "isolate"}}, "[0].id", "cannot be the id", ""},
		{"undo", []Step{{ID: "x", Uses: "delete_file", With: map[string]any{"path": "/a"}, UndoAfter: time.Hour}}, "[0].undo_after", "cannot be undone", "isolate"},
		{"event text as a program", uses("create_process", map[string]any{"program": "${{ process.path }}"}), "[0].with.program", "fixed text", ""},
		{"event text as a flag", uses("run", map[string]any{"file": "tidy.ps1", "flags": []any{"-Path", "${{ process.path }}"}}), "[0].with.flags[1]", "fixed text", ""},
		{"event text as an address", uses("http", map[string]any{"url": "https://${{ sensor.hostname }}/"}), "[0].with.url", "fixed text", ""},
		{"shell", uses("create_process", map[string]any{"program": "/bin/sh", "args": []any{"-c"}}), "[0].with", "may run its arguments as code", ""},
		{"open template", uses("publish", map[string]any{"subject": "s", "body": "${{ process.pid"}), "[0].with.body", "is not closed", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Compile(c.steps, site())
			if len(got) != 1 {
				t.Fatalf("%d problems, want 1: %v", len(got), got)
			}
			p := got[0]
			if string(p.Path) != c.path || !strings.Contains(p.Message, c.text) || !strings.Contains(p.Hint, c.hint) {
				t.Errorf("got %s | %s | %s\nwant %s | %s | %s", p.Path, p.Message, p.Hint, c.path, c.text, c.hint)
			}
		})
	}
}

func TestCompilePlacesMistakesInTheirText(t *testing.T) {
	steps := []Step{{ID: "x", Uses: "publish", If: "always() && bad", With: map[string]any{"subject": "s", "body": "ab ${{ worse }}"}}}
	got := Compile(steps, Site{})
	if len(got) != 2 {
		t.Fatalf("problems: %v", got)
	}
	for _, p := range got {
		text := map[string]string{"[0].if": steps[0].If, "[0].with.body": "ab ${{ worse }}"}[string(p.Path)]
		if at := text[p.Offset : p.Offset+p.Length]; at != "bad" && at != "worse" {
			t.Errorf("%s points at %q", p.Path, at)
		}
	}
}
