package rules

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/events"
)

// editsInCI is how many edits TestNearMisses makes; with -long thirty times as many.
const editsInCI = 10_000

// TestNearMisses: a slip of the keyboard in a rule that changes which events match is
// found by the check or changes the result of a test. The rules are random; their tests
// have an event that matches and its near variants.
func TestNearMisses(t *testing.T) {
	t.Parallel()
	edits := editsInCI
	if *long {
		edits *= 30
	}
	r := rand.New(rand.NewPCG(14, 14))
	var found, shown, same, inForce int
	for n := 0; n < edits; {
		s := drawSubject(t, r)
		for range 200 {
			n++
			text := slip(r, s.text)
			set, err := LoadText("rules.yaml", []byte(text))
			if err != nil {
				found++
				continue
			}
			inForce++
			switch changed := s.changes(t, set); {
			case changed && s.passes(set):
				t.Fatalf("the edit changes which events match, and nothing shows it:\n%s\nbefore:\n%s", text, s.text)
			case changed:
				shown++
			default:
				same++
			}
		}
	}
	t.Logf("%d edits: %d found by the check, %d shown by tests, %d change no match", edits, found, shown, same)
	if found < edits/10 || shown < edits/50 {
		t.Errorf("%d found and %d shown of %d edits: the test shows little", found, shown, edits)
	}
}

// A subject is a random rule with its tests, and events that it matches and does not.
type subject struct {
	text    string
	tests   []*Test
	events  []*events.Event
	matched []bool
}

// nearField is a part of an event that conditions compare, with a value in its normal form.
type nearField struct {
	path  string
	value any
}

// nearEvents are events of which conditions are drawn.
var nearEvents = []struct {
	on, typ string
	fields  []nearField
}{
	{"process_start", "ingress.event.procstart", []nearField{
		{"process.pid", 4711}, {"process.command_line", `tool.exe -enc QUJD`}, {"process.user", `corp\kim`},
		{"process.md5", "00112233445566778899aabbccddeeff"}, {"process.path", `c:\drop\tool.exe`}, {"process.parent.path", `c:\office\word.exe`},
	}},
	{"registry", "ingress.event.regmod", []nearField{
		{"reg.path", `HKLM\software\run\tool`}, {"reg.action", "writeval"}, {"process.path", `c:\drop\setup.exe`}, {"process.pid", 812},
	}},
	{"network", "ingress.event.netconn", []nearField{
		{"net.remote_port", 4444}, {"net.remote_ip", "203.0.113.9"}, {"net.domain", "bad.example"}, {"net.direction", "outbound"}, {"process.pid", 77},
	}},
	{"file", "ingress.event.filemod", []nearField{
		{"file.path", `c:\users\kim\report.docm`}, {"file.action", "create"}, {"process.path", `c:\office\word.exe`},
	}},
}

func drawSubject(t *testing.T, r *rand.Rand) *subject {
	t.Helper()
	base := nearEvents[r.IntN(len(nearEvents))]
	var atoms []string
	for range 1 + r.IntN(3) {
		atoms = append(atoms, drawAtom(r, base.fields[r.IntN(len(base.fields))]))
	}
	s := &subject{}
	s.text = fmt.Sprintf("rules:\n  - id: near\n    on: %s\n    when: >\n      %s\n    steps: [ { uses: list_processes } ]\n",
		base.on, strings.Join(atoms, []string{" && ", " || ", "\n      && "}[r.IntN(3)]))
	set, err := LoadText("rules.yaml", []byte(s.text))
	if err != nil {
		return drawSubject(t, r) // contradictory or decided: refused as it should be
	}
	written := "tests:\n"
	for i, m := range variants(base.typ, base.fields) {
		e, _, err := eventOf(m(), testBegin, i)
		if err != nil {
			t.Fatal(err)
		}
		description, err := yaml.Marshal(m())
		if err != nil {
			t.Fatal(err)
		}
		matches, _ := set.Match(e)
		expect := "[]"
		if len(matches) > 0 {
			expect = "[ { run: list_processes } ]"
		}
		s.events, s.matched = append(s.events, e), append(s.matched, len(matches) > 0)
		written += fmt.Sprintf("  - rule: near\n    name: n%d\n    events:\n      - %s    expect: %s\n", i, strings.ReplaceAll(string(description), "\n", "\n        "), expect)
		written = strings.ReplaceAll(written, "        \n", "\n")
	}
	tests, problems := testText("near_test.yaml", []byte(strings.ReplaceAll(written, "\n            expect", "\n    expect")), []string{"near"})
	if len(problems) > 0 {
		t.Fatal(problems, written)
	}
	s.tests = tests
	if !s.passes(set) {
		t.Fatalf("the tests of an untouched rule fail:\n%s%s", s.text, written)
	}
	return s
}

// drawAtom is a comparison that holds for the field's value.
func drawAtom(r *rand.Rand, f nearField) string {
	if n, ok := f.value.(int); ok {
		return []string{
			fmt.Sprintf("%s == %d", f.path, n), fmt.Sprintf("%s in [%d, %d]", f.path, n, n+10),
			fmt.Sprintf("%s >= %d", f.path, n), fmt.Sprintf("%s != %d", f.path, n+1),
		}[r.IntN(4)]
	}
	text := f.value.(string)
	from := r.IntN(len(text) - 3)
	part := text[from : from+3+r.IntN(len(text)-from-2)]
	forms := []string{fmt.Sprintf("%s == `%s`", f.path, text), fmt.Sprintf("%s in [`%s`]", f.path, text)}
	if f.path != "reg.action" && f.path != "net.direction" && f.path != "file.action" {
		forms = append(forms, fmt.Sprintf("%s contains `%s`", f.path, part), fmt.Sprintf("icontains(%s, `%s`)", f.path, part),
			fmt.Sprintf("%s startsWith `%s`", f.path, text[:4]), fmt.Sprintf("%s endsWith `%s`", f.path, text[len(text)-4:]))
	}
	return forms[r.IntN(len(forms))]
}

// variants are descriptions of the event and of those that differ from it by little: in
// a character or two of a text, by one of a number, and in each value that is missing.
func variants(typ string, fields []nearField) []func() map[string]any {
	event := func(changed string, value any) func() map[string]any {
		return func() map[string]any {
			m := map[string]any{"type": typ, "sensor": map[string]any{"id": "7"}}
			for _, f := range fields {
				v := f.value
				if f.path == changed {
					v = value
				}
				if v != nil {
					putField(m, strings.Split(f.path, "."), v)
				}
			}
			return m
		}
	}
	all := []func() map[string]any{event("", nil)}
	for _, f := range fields {
		all = append(all, event(f.path, nil))
		for _, v := range nearValues(f) {
			all = append(all, event(f.path, v))
		}
	}
	return all
}

func putField(m map[string]any, path []string, v any) {
	for _, key := range path[:len(path)-1] {
		if m[key] == nil {
			m[key] = map[string]any{}
		}
		m = m[key].(map[string]any)
	}
	m[path[len(path)-1]] = v
}

// nearValues are those next to a field's value that an event can have.
func nearValues(f nearField) []any {
	if n, ok := f.value.(int); ok {
		return []any{n + 1, n - 1, n + 10, n * 10, n / 10}
	}
	text := f.value.(string)
	var near []any
	switch f.path {
	case "reg.action":
		return []any{"delval", "createkey"}
	case "net.direction":
		return []any{"inbound"}
	case "file.action":
		return []any{"write", "delete"}
	case "net.remote_ip":
		return []any{"203.0.113.90", "20.0.113.9", "203.0.113.8"}
	case "process.md5":
		return []any{"ffeeddccbbaa99887766554433221100"}
	}
	for i := range len(text) {
		if c := text[i]; c != '\\' && c != ':' && c != '.' {
			near = append(near, text[:i]+"q"+text[i+1:])
		}
	}
	return near
}

// changes reports whether another set matches other events.
func (s *subject) changes(t *testing.T, set *Set) bool {
	t.Helper()
	for i, e := range s.events {
		if matches, _ := set.Match(e); (len(matches) > 0) != s.matched[i] {
			return true
		}
	}
	return false
}

// passes reports whether all tests of the rule pass with the set.
func (s *subject) passes(set *Set) bool {
	for _, test := range s.tests {
		if !test.Run(context.Background(), set).Passed() {
			return false
		}
	}
	return true
}

const typed = "abcdefghijklmnopqrstuvwxyz0123456789_.,:;=!<>&|()[]{}'\"`\\/#*-+ \n"

// slip is a text with one slip: a character left out, doubled, exchanged with the next,
// another or one more, the other case, or a word of another tool.
func slip(r *rand.Rand, text string) string {
	at := r.IntN(len(text) - 1)
	other := string(typed[r.IntN(len(typed))])
	switch r.IntN(8) {
	case 0:
		return text[:at] + text[at+1:]
	case 1:
		return text[:at] + text[at:at+1] + text[at:]
	case 2:
		return text[:at] + text[at+1:at+2] + text[at:at+1] + text[at+2:]
	case 3:
		return text[:at] + other + text[at+1:]
	case 4:
		return text[:at] + other + text[at:]
	case 5:
		c := text[at : at+1]
		if upper := strings.ToUpper(c); upper != c {
			return text[:at] + upper + text[at+1:]
		}
		return text[:at] + strings.ToLower(c) + text[at+1:]
	}
	words := []string{"==", "=", "&&", "and", "||", "or", "==", "!=", "contains", "startsWith", "in", "not in", ">=", ">", "process_start", "process_end", "registry", "file", "pid", "ppid", "path", "name", ".exe", ".EXE", "`", `"`, "`", "'", "when", "condition", "network", "*"}
	i := 2 * r.IntN(len(words)/2)
	return strings.Replace(text, words[i], words[i+1], 1)
}
