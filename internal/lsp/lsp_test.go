package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is an editor: it speaks to the server over the wire.
type client struct {
	t           testing.TB
	conn        jsonrpc2.Conn
	dir         string
	diagnostics chan protocol.PublishDiagnosticsParams
}

// start opens a workspace with files in it.
func start(t testing.TB, files map[string]string) *client {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, there := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, there, "test") }()
	c := &client{t: t, dir: dir, diagnostics: make(chan protocol.PublishDiagnosticsParams, 1000)}
	c.conn = jsonrpc2.NewConn(jsonrpc2.NewStream(here))
	c.conn.Go(ctx, func(ctx context.Context, reply jsonrpc2.Replier, req jsonrpc2.Request) error {
		var p protocol.PublishDiagnosticsParams
		if err := json.Unmarshal(req.Params(), &p); err == nil {
			c.diagnostics <- p
		}
		return reply(ctx, nil, nil)
	})
	t.Cleanup(func() {
		c.notify(protocol.MethodExit, nil)
		cancel()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		_ = c.conn.Close()
		<-c.conn.Done()
	})
	var result protocol.InitializeResult
	c.call(protocol.MethodInitialize, protocol.InitializeParams{WorkspaceFolders: []protocol.WorkspaceFolder{{URI: string(uri.File(dir)), Name: "rules"}}}, &result)
	if result.ServerInfo == nil || result.ServerInfo.Name != "edrpipe" {
		t.Fatalf("the server is %+v", result.ServerInfo)
	}
	c.notify(protocol.MethodInitialized, protocol.InitializedParams{})
	return c
}

func (c *client) call(method string, params, result any) {
	c.t.Helper()
	if _, err := c.conn.Call(context.Background(), method, params, result); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}

func (c *client) notify(method string, params any) {
	c.t.Helper()
	_ = c.conn.Notify(context.Background(), method, params)
}

func (c *client) file(name string) protocol.TextDocumentIdentifier {
	return protocol.TextDocumentIdentifier{URI: uri.File(filepath.Join(c.dir, name))}
}

// open opens a file with a text in which ‸ marks a position.
func (c *client) open(name, marked string) (protocol.TextDocumentPositionParams, []protocol.Diagnostic) {
	c.t.Helper()
	before, after, _ := strings.Cut(marked, "‸")
	lines := strings.Split(before, "\n")
	at := protocol.TextDocumentPositionParams{
		TextDocument: c.file(name),
		Position:     protocol.Position{Line: uint32(len(lines) - 1), Character: uint32(len(lines[len(lines)-1]))},
	}
	c.notify(protocol.MethodTextDocumentDidOpen, protocol.DidOpenTextDocumentParams{
		TextDocument: protocol.TextDocumentItem{URI: at.TextDocument.URI, LanguageID: "yaml", Text: before + after},
	})
	return at, (<-c.diagnostics).Diagnostics
}

func (c *client) complete(at protocol.TextDocumentPositionParams) []string {
	c.t.Helper()
	var list protocol.CompletionList
	c.call(protocol.MethodTextDocumentCompletion, protocol.CompletionParams{TextDocumentPositionParams: at}, &list)
	var labels []string
	for _, item := range list.Items {
		labels = append(labels, item.Label)
	}
	return labels
}

const head = "rules:\n  - id: a\n    on: process_start\n"

func TestCompletion(t *testing.T) {
	files := map[string]string{
		"other.yaml":     "rules:\n  - id: other-rule\n    on: registry\n    when: true\n    steps: [ { uses: isolate } ]\n",
		"lists/good.txt": "# type: text\nx\n",
	}
	for _, c := range []struct {
		name, text string
		want, not  []string
	}{
		{"keys of a rule", head + "    ‸", []string{"when", "steps", "suppress", "tests"}, []string{"uses", "rules"}},
		{"beginning of a key", head + "    wh‸", []string{"when"}, []string{"steps"}},
		{"keys of a step", head + "    steps:\n      - uses: isolate\n        ‸", []string{"if", "with", "undo_after"}, []string{"when"}},
		{"keys of a step in brackets", head + "    steps: [ { uses: isolate, ‸", []string{"if", "with"}, []string{"when"}},
		{"kinds and types", "rules:\n  - id: a\n    on: ‸", []string{"process_start", "registry", "ingress.event.procstart"}, nil},
		{"types in a list", "rules:\n  - id: a\n    on: [process_start, net‸", []string{"network"}, []string{"registry"}},
		{"words of a key", head + "    severity: ‸", []string{"low", "critical"}, nil},
		{"words of a key within a mapping", head + "    limits: { jobs: 1, per: 1h, on_exceed: ‸", []string{"hold", "drop"}, nil},
		{"actions", head + "    steps:\n      - uses: ‸", []string{"isolate", "kill_process"}, nil},
		{"parameters", head + "    steps:\n      - uses: kill_process\n        with:\n          ‸", []string{"pid", "guid", "max"}, []string{"uses", "key"}},
		{"parameters in brackets", head + "    steps:\n      - uses: kill_process\n        with: { pid: 1, ‸", []string{"guid"}, []string{"uses"}},
		{"parts and functions", head + "    when: ‸", []string{"process", "sensor", "icontains"}, []string{"reg", "script"}},
		{"fields that the events carry", head + "    when: process.‸", []string{"name", "command_line", "parent"}, nil},
		{"fields of fields", head + "    when: a && process.parent.‸", []string{"name", "guid"}, []string{"parent"}},
		{"fields of other events", "rules:\n  - id: a\n    on: registry\n    when: reg.‸", []string{"path", "action"}, nil},
		{"in a folded condition", head + "    when: >\n      process.name == \"x\"\n      && process.pa‸", []string{"path", "parent"}, []string{"name"}},
		{"values of a field", head + "    when: sensor.os == \"‸", []string{"windows", "linux"}, nil},
		{"values in a list", "rules:\n  - id: a\n    on: file\n    when: file.action in [\"create\", \"‸", []string{"delete"}, nil},
		{"lists", head + "    when: in_list(process.name, \"‸", []string{"good"}, nil},
		{"steps", head + "    steps:\n      - id: grab\n        uses: get_file\n      - uses: publish\n        with: { subject: \"${{ steps.‸", []string{"grab"}, nil},
		{"outputs", head + "    steps:\n      - id: grab\n        uses: get_file\n      - uses: publish\n        if: steps.grab.output.‸", []string{"sha256", "size"}, nil},
		{"vars", head + "    vars: { x: process.name }\n    steps:\n      - uses: publish\n        if: vars.‸", []string{"x"}, nil},
		{"rules of a correlation", head + "    correlate: { type: temporal, timespan: 1m, rules: [‸", []string{"other-rule"}, nil},
		{"keys of a test", head + "    tests:\n      - ‸", []string{"name", "events", "expect"}, []string{"uses"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl := start(t, files)
			at, _ := cl.open("a.yaml", c.text)
			got := cl.complete(at)
			for _, w := range c.want {
				if !slices.Contains(got, w) {
					t.Errorf("%q is not offered, but %v", w, got)
				}
			}
			for _, w := range c.not {
				if slices.Contains(got, w) {
					t.Errorf("%q is offered", w)
				}
			}
		})
	}
}

func TestDiagnosticsAndFixes(t *testing.T) {
	c := start(t, map[string]string{"other.yaml": "rules:\n  - id: taken\n    on: registry\n    when: true\n    steps: [ { uses: isolate } ]\n"})
	text := "rules:\n  - id: taken\n    on: process_start\n    when: process.nmae == \"é\" && icontain(process.path, \"x\")\n    steps: [ { uses: kil_process } ]\n"
	_, found := c.open("a.yaml", text)
	var got []string
	for _, d := range found {
		got = append(got, fmt.Sprintf("%d:%d-%d %s", d.Range.Start.Line, d.Range.Start.Character, d.Range.End.Character, strings.ReplaceAll(d.Message, "\n", " / ")))
	}
	want := []string{
		`1:8-13 the id "taken" is taken / by the rule at other.yaml:2`,
		`3:18-22 process has no field "nmae" / did you mean process.name?`,
		`4:21-32 there is no action "kil_process" / did you mean "kill_process"?`,
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("there is no %q among\n%s", w, strings.Join(got, "\n"))
		}
	}
	var actions []protocol.CodeAction
	c.call(protocol.MethodTextDocumentCodeAction, protocol.CodeActionParams{
		TextDocument: c.file("a.yaml"), Range: protocol.Range{Start: protocol.Position{Line: 3}, End: protocol.Position{Line: 4, Character: 99}},
	}, &actions)
	fixed := newText(text)
	slices.Reverse(actions)
	for _, a := range actions {
		for _, e := range a.Edit.Changes[c.file("a.yaml").URI] {
			fixed.replace(e.Range, e.NewText)
		}
	}
	for _, part := range []string{`process.name == "é" && icontains(`, "uses: kill_process }"} {
		if !strings.Contains(fixed.String(), part) {
			t.Errorf("after the fixes there is no %q in\n%s", part, fixed)
		}
	}
	// The text as fixed, with another id, is in order.
	c.notify(protocol.MethodTextDocumentDidChange, map[string]any{
		"textDocument": c.file("a.yaml"), "contentChanges": []any{map[string]any{"text": strings.Replace(strings.Replace(fixed.String(), "id: taken", "id: free", 1), "kill_process", "isolate", 1)}},
	})
	if left := (<-c.diagnostics).Diagnostics; len(left) != 0 {
		t.Errorf("still wrong: %+v", left)
	}
}

const linked = `rules:
  - id: first
    on: process_start
    when: in_list(process.name, "good")
    vars:
      who: process.user
    steps:
      - id: grab
        uses: get_file
        with: { path: "${{ process.path }}" }
      - uses: publish
        with: { subject: x, body: { a: "${{ steps.grab.output.sha256 }}", b: "${{ vars.who }}" } }
    tests:
      - name: it acts
        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { path: 'c:\x' } } ]
        mocks: { grab: { output: { sha256: ab } } }
        expect: [ { run: grab }, { run: publish } ]
`

func TestHover(t *testing.T) {
	c := start(t, map[string]string{"lists/good.txt": "# type: text\nx\n"})
	for part, want := range map[string]string{
		"wh‸en: in_list":   "condition",
		"in_l‸ist(":        "in_list(",
		"process.na‸me":    "carried by",
		"pro‸cess.name":    "part of the event",
		"uses: get_‸file":  "path",
		"steps.gr‸ab.":     "get_file",
		"output.sha2‸56 }": "type: text",
	} {
		at, _ := c.open("a.yaml", strings.Replace(linked, strings.Replace(part, "‸", "", 1), part, 1))
		var hover *protocol.Hover
		c.call(protocol.MethodTextDocumentHover, protocol.HoverParams{TextDocumentPositionParams: at}, &hover)
		if hover == nil || !strings.Contains(hover.Contents.Value, want) {
			t.Errorf("%s: %+v, want %q", part, hover, want)
		}
	}
}

func TestDefinitionAndRename(t *testing.T) {
	files := map[string]string{
		"lists/good.txt": "# type: text\nx\n",
		"b_test.yaml":    "tests:\n  - name: more\n    rule: first\n    events: [ { type: ingress.event.procstart, sensor: { id: 1 } } ]\n    jobs: 0\n",
		"c.yaml":         "rules:\n  - id: both\n    on: process_start\n    when: true\n    correlate: { type: temporal, timespan: 1m, rules: [first, other] }\n    steps: [ { uses: isolate } ]\n",
	}
	for _, c := range []struct {
		at   string
		line int // of the definition; -1: the list
		to   string
		uses int
	}{
		{"steps.gr‸ab.output", 7, "taken", 4},
		{"vars.wh‸o }}", 5, "whom", 2},
		{`"go‸od")`, -1, "", 1},
		{"id: fir‸st", 1, "erste", 3},
		{"- id: gr‸ab", 7, "taken", 4},
	} {
		t.Run(c.at, func(t *testing.T) {
			cl := start(t, files)
			at, _ := cl.open("a.yaml", strings.Replace(linked, strings.Replace(c.at, "‸", "", 1), c.at, 1))
			var where protocol.Location
			cl.call(protocol.MethodTextDocumentDefinition, protocol.DefinitionParams{TextDocumentPositionParams: at}, &where)
			switch {
			case c.line < 0 && !strings.HasSuffix(string(where.URI), "/lists/good.txt"):
				t.Errorf("defined at %+v, want the list", where)
			case c.line >= 0 && int(where.Range.Start.Line) != c.line:
				t.Errorf("defined at %+v, want line %d", where, c.line)
			}
			var found []protocol.Location
			cl.call(protocol.MethodTextDocumentReferences, protocol.ReferenceParams{TextDocumentPositionParams: at}, &found)
			if len(found) != c.uses {
				t.Errorf("%d references, want %d: %+v", len(found), c.uses, found)
			}
			if c.to == "" {
				return
			}
			var edit protocol.WorkspaceEdit
			cl.call(protocol.MethodTextDocumentRename, protocol.RenameParams{TextDocumentPositionParams: at, NewName: c.to}, &edit)
			renamed := newText(linked)
			edits := edit.Changes[at.TextDocument.URI]
			slices.SortFunc(edits, func(a, b protocol.TextEdit) int {
				return int(b.Range.Start.Line*1000+b.Range.Start.Character) - int(a.Range.Start.Line*1000+a.Range.Start.Character)
			})
			for _, e := range edits {
				renamed.replace(e.Range, e.NewText)
			}
			cl.notify(protocol.MethodTextDocumentDidChange, map[string]any{"textDocument": at.TextDocument, "contentChanges": []any{map[string]any{"text": renamed.String()}}})
			if left := (<-cl.diagnostics).Diagnostics; len(left) != 0 {
				t.Errorf("wrong after renaming: %+v\n%s", left, renamed)
			}
		})
	}
}

func TestFormatting(t *testing.T) {
	c := start(t, nil)
	at, _ := c.open("a.yaml", "rules:\n- when: true\n  id: a\n  on:   registry\n  steps: [ {uses: isolate} ]\n")
	var edits []protocol.TextEdit
	c.call(protocol.MethodTextDocumentFormatting, protocol.DocumentFormattingParams{TextDocument: at.TextDocument}, &edits)
	want := "rules:\n  - id: a\n    on: registry\n    when: true\n    steps: [ { uses: isolate } ]\n"
	if len(edits) != 1 || edits[0].NewText != want {
		t.Errorf("got %+v", edits)
	}
}

func TestUnknownRequests(t *testing.T) {
	c := start(t, nil)
	if _, err := c.conn.Call(context.Background(), "textDocument/unheardOf", nil, nil); err == nil {
		t.Error("an unknown request was answered")
	}
	c.notify("$/unheardOf", nil)
	at, _ := c.open("a.yaml", head+"    ‸")
	if len(c.complete(at)) == 0 {
		t.Error("the server has no answer any more")
	}
}

// TestAnyEdits: after any stream of edits the server has the text that the client
// has, and answers what is asked of it anywhere.
func TestAnyEdits(t *testing.T) {
	c := start(t, map[string]string{"lists/good.txt": "# type: text\nx\n"})
	at, _ := c.open("a.yaml", linked)
	rapid.Check(t, func(r *rapid.T) {
		mirror := newText(linked)
		c.notify(protocol.MethodTextDocumentDidChange, map[string]any{"textDocument": at.TextDocument, "contentChanges": []any{map[string]any{"text": linked}}})
		<-c.diagnostics
		for range rapid.IntRange(1, 6).Draw(r, "edits") {
			place := func(name string) protocol.Position {
				return protocol.Position{Line: rapid.Uint32Range(0, 20).Draw(r, name), Character: rapid.Uint32Range(0, 60).Draw(r, name)}
			}
			edit := protocol.Range{Start: place("start"), End: place("end")}
			text := rapid.SampledFrom([]string{"", "\n", "x", "{", "}", "[", "\"", "'", ": ", "- ", "é🦊", "process.", "${{ ", "steps.", "\t", "#", "&a", "*a", "  - id: b\n", ">\n"}).Draw(r, "text")
			mirror.replace(edit, text)
			c.notify(protocol.MethodTextDocumentDidChange, map[string]any{"textDocument": at.TextDocument, "contentChanges": []any{map[string]any{"range": edit, "text": text}}})
			<-c.diagnostics
			p := protocol.TextDocumentPositionParams{TextDocument: at.TextDocument, Position: place("question")}
			c.complete(p)
			var hover *protocol.Hover
			c.call(protocol.MethodTextDocumentHover, protocol.HoverParams{TextDocumentPositionParams: p}, &hover)
			var found []protocol.Location
			c.call(protocol.MethodTextDocumentReferences, protocol.ReferenceParams{TextDocumentPositionParams: p}, &found)
			for _, f := range found {
				for _, end := range []protocol.Position{f.Range.Start, f.Range.End} {
					if int(end.Line) >= len(mirror.lines) {
						r.Fatalf("a reference is at %+v, behind the text", f.Range)
					}
				}
			}
		}
		// Formatting answers with the server's text, which shows what it has.
		c.notify(protocol.MethodTextDocumentDidChange, map[string]any{"textDocument": at.TextDocument, "contentChanges": []any{map[string]any{
			"range": protocol.Range{Start: protocol.Position{}, End: protocol.Position{Line: uint32(len(mirror.lines)), Character: 0}}, "text": "a:   1\n"}}})
		<-c.diagnostics
		var edits []protocol.TextEdit
		c.call(protocol.MethodTextDocumentFormatting, protocol.DocumentFormattingParams{TextDocument: at.TextDocument}, &edits)
		if len(edits) != 1 || edits[0].NewText != "a: 1\n" {
			r.Fatalf("the server's text is another one: %+v", edits)
		}
	})
}

// Rules of a workspace as large as they get: 100 files of 100 rules.
func large() map[string]string {
	files := map[string]string{}
	for f := range 100 {
		var b strings.Builder
		b.WriteString("rules:\n")
		for i := range 100 {
			fmt.Fprintf(&b, "  - id: rule-%d-%d\n    on: process_start\n    when: process.name == \"a%d.exe\" && icontains(process.command_line, \"x%d\")\n    steps:\n      - id: grab\n        uses: get_file\n        with: { path: \"${{ process.path }}\" }\n", f, i, 100*f+i, i)
		}
		files[fmt.Sprintf("f%d.yaml", f)] = b.String()
	}
	return files
}

func BenchmarkTenThousandRules(b *testing.B) {
	files := large()
	c := start(b, files)
	at, _ := c.open("f7.yaml", strings.Replace(files["f7.yaml"], "process.name ==", "process.na‸me ==", 1))
	b.Run("diagnostics", func(b *testing.B) {
		for i := range b.N {
			text := [2]string{"x", ""}[i%2]
			p := at.Position
			r := protocol.Range{Start: p, End: p}
			if text == "" {
				r.End.Character++
			}
			c.notify(protocol.MethodTextDocumentDidChange, map[string]any{"textDocument": at.TextDocument, "contentChanges": []any{map[string]any{"range": r, "text": text}}})
			<-c.diagnostics
		}
	})
	b.Run("completion", func(b *testing.B) {
		for range b.N {
			c.complete(at)
		}
	})
	b.Run("hover", func(b *testing.B) {
		for range b.N {
			var hover *protocol.Hover
			c.call(protocol.MethodTextDocumentHover, protocol.HoverParams{TextDocumentPositionParams: at}, &hover)
		}
	})
}
