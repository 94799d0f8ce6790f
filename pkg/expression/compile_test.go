package expression_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edrpipe/internal/golden"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type lists map[string][]string

func (l lists) Has(list, value string) bool {
	for _, v := range l[list] {
		if expression.Fold(v) == expression.Fold(value) {
			return true
		}
	}
	return false
}

func (l lists) Names() []string {
	var names []string
	for name := range l {
		names = append(names, name)
	}
	return names
}

var known = lists{"known-good": {"AA", "bb"}}

func sample() *events.Event {
	return &events.Event{
		Event:  events.Meta{Type: "ingress.event.procstart", Kind: events.ProcessStart, Age: time.Minute, Time: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)},
		Sensor: events.Sensor{ID: "42", IDs: []string{"42"}, Group: "Office", Groups: []string{"Office", "Labs"}},
		Process: events.Process{
			PID: 4711, Name: "PowerShell.exe", Path: `c:\windows\system32\PowerShell.exe`, CommandLine: "powershell -enc AAAA",
			SHA256: "aa", Parent: events.Parent{Name: "winword.exe"},
		},
		Net: events.Net{RemoteIP: "10.1.2.3", RemotePort: 443},
		Raw: map[string]any{"docs": []any{map[string]any{"x": "y"}}, "n": 5},
	}
}

func TestCondition(t *testing.T) {
	tests := []struct {
		source string
		want   bool
	}{
		{`event.kind == "process_start"`, true},
		{`event.type == "ingress.event.procstart"`, true},
		{`event.kind in ["file", "process_start"]`, true},
		{`process.parent.name in ["winword.exe", "excel.exe"]`, true},
		{`icontains(process.path, "\\SYSTEM32\\")`, true},
		{"icontains(process.path, `\\system33\\`)", false},
		{`ieq(process.name, "powershell.EXE")`, true},
		{`istartswith(process.path, "C:\\")`, true},
		{`iendswith(process.path, "SHELL.EXE")`, true},
		{`iin(process.name, ["cmd.exe", "powershell.exe"])`, true},
		{`glob(process.command_line, "* -enc ????")`, true},
		{`glob(process.command_line, "* -ENC *")`, false},
		{`iglob(process.command_line, "* -ENC *")`, true},
		{`cidr(net.remote_ip, "192.168.0.0/16", "10.0.0.0/8")`, true},
		{`cidr(file.path, "10.0.0.0/8")`, false},
		{`is_private(net.remote_ip)`, true},
		{`is_private("8.8.8.8")`, false},
		{`is_ip("::ffff:10.0.0.1")`, true},
		{`basename(lower(process.path)) == "powershell.exe"`, true},
		{"dirname(process.path) == `c:\\windows\\system32`", true},
		{`has(process.sha256)`, true},
		{`has(process.md5)`, false},
		{`has(raw.docs) and not has(raw.nothing.here.at.all)`, true},
		{`has(sensor.ids)`, true},
		{`raw.nothing.here == "x"`, false},
		{`raw.n == 5`, true},
		{`in_list(process.sha256, "known-good")`, true},
		{`in_list(process.md5, "known-good")`, false},
		{`event.age < duration("1d")`, true},
		{`event.age > duration("15m")`, false},
		{`any(sensor.groups, # == "Labs")`, true},
		{`any(["-enc", "-e"], process.command_line contains #)`, true},
		{`join(sensor.groups, ",") == "Office,Labs"`, true},
		{`let name = lower(process.name); name == "powershell.exe"`, true},
		{`net.remote_port in 400..500`, true},
		{`event.time.Hour() == 13`, true},
		{`process.name matches "(?i)^powershell"`, true},
		{`file.path == "" and reg.path == "" and script.text == ""`, true},
	}
	scope := expression.EventScope().WithLists(known)
	onMap := scope.With("vars", "", expression.ObjectOf())
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			p, err := scope.Condition(tt.source)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Bool(sample()); err != nil || got != tt.want {
				t.Errorf("on the event: %v, %v, want %v", got, err, tt.want)
			}
			if p, err = onMap.Condition(tt.source); err != nil {
				t.Fatal(err)
			}
			env := expression.Env(sample(), map[string]any{"vars": map[string]any{}})
			if got, err := p.Bool(env); err != nil || got != tt.want {
				t.Errorf("on the map: %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// mistakes are what authors get wrong; testdata/mistakes.golden shows what they
// are told.
var mistakes = []string{
	`event.knd == "file"`,
	`prcess.pid == 1`,
	`process.parent.nmae == "x" and file.pth == "y"`,
	`commandline contains "x"`,
	`process.name == powershell`,
	`process.pid == "4711"`,
	`process.pid == "cmd.exe"`,
	`process.name == 5`,
	`event.age > 15`,
	`event.age > "15m"`,
	`event.age > duration("15 minutes")`,
	`process.name`,
	`process.pid`,
	`raw.flag`,
	`!process.name`,
	`process.name and true`,
	`true or net.remote_port`,
	`sensor.groups == "Office"`,
	`process.name in ["cmd.exe", 5]`,
	`process.pid in ["4"]`,
	`process.name in "cmd.exe"`,
	`process.name contains 5`,
	`process.name matches "("`,
	`process.name matches process.path`,
	`glob(process.name, process.path)`,
	`process.name = "cmd.exe"`,
	`process.name == "cmd.exe`,
	`process.name == “cmd.exe”`,
	`process.path == "c:\windows"`,
	`process.name == "a" and`,
	`(process.name == "a"`,
	`process.name == "a")`,
	`process.name like "a"`,
	`process.name Contains "a"`,
	`process.name startswith "a"`,
	`icontain(process.name, "a")`,
	`icontains(process.name)`,
	`icontains(process.name, 5)`,
	`icontains`,
	`lower(process.pid) == "x"`,
	`process.name.contains("x")`,
	`process.name.lower() == "x"`,
	`cidr(net.remote_ip, "10.0.0.1")`,
	`cidr(net.remote_ip, "10.1.0.0/8")`,
	`cidr(net.remote_ip, "ten")`,
	`cidr(net.remote_ip)`,
	`in_list(process.md5, "know-good")`,
	`in_list(process.md5, "nothing-like-it")`,
	`in_list(process.md5, process.name)`,
	`sensor.id == 5`,
	`5 != sensor.id`,
	`sensor.id in [5, 6]`,
	`5 in sensor.ids`,
	`now() > event.time`,
	`reduce(sensor.ids, # + #acc, "") > "5"`,
	`any(sensor.groups, any(sensor.ids, # == "5"))`,
	`net.remote_port in 1..1000000`,
	`let a = process.name + process.name; let b = a + a + a + a; let c = b + b + b + b; let d = c + c + c + c; let e = d + d + d + d; let f = e + e + e; f == ""`,
	`$env == 1`,
	`process.pid == 1; true`,
	`process.nam == "x" or process.pid == "x" or nosuch(1)`,
	``,
	`sensor`,
	`process["name"] == 1`,
	`process["nmae"] == "x"`,
}

func TestMistakes(t *testing.T) {
	scope := expression.EventScope().WithLists(known)
	var b strings.Builder
	for _, source := range mistakes {
		_, err := scope.Condition(source)
		var found expression.Errors
		if !errors.As(err, &found) {
			t.Errorf("%s: compiled", source)
			continue
		}
		fmt.Fprintln(&b, source)
		for _, e := range found {
			fmt.Fprintf(&b, "%s%s %s\n", strings.Repeat(" ", e.Offset), strings.Repeat("^", e.Length), e.Message)
			if e.Hint != "" {
				fmt.Fprintf(&b, "%s  → %s\n", strings.Repeat(" ", e.Offset), e.Hint)
			}
			if e.Offset+e.Length > len([]rune(source))+1 {
				t.Errorf("%s: %d+%d lies outside", source, e.Offset, e.Length)
			}
		}
		fmt.Fprintln(&b)
	}
	golden.Check(t, "testdata/mistakes.golden", b.String())
	for _, leak := range []string{"interface {}", "float64", "int64", "events.", "reflect", "ast."} {
		if strings.Contains(b.String(), leak) {
			t.Errorf("a message contains %q", leak)
		}
	}
}

// TestEvalErrors: an expression that fails on an event says so, in words.
func TestEvalErrors(t *testing.T) {
	tests := []struct{ source, want string }{
		{`raw.docs.x contains "a"`, "items of a list have numbers"},
		{`raw.n contains "a"`, "got a whole number where text is needed"},
		{`raw.absent > 5`, "> cannot be used between nothing and a whole number"},
		{`sensor.ids[5] == "1"`, "no such item"},
		{`icontains(raw.docs, "a")`, "got a list where text is needed"},
	}
	for _, tt := range tests {
		p, err := expression.EventScope().Condition(tt.source)
		if err != nil {
			t.Errorf("%s: %v", tt.source, err)
			continue
		}
		_, err = p.Bool(sample())
		var failed *expression.EvalError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, tt.want) {
			t.Errorf("%s: %v, want %q", tt.source, err, tt.want)
		}
	}
}

// TestConcurrent runs one program from many goroutines, some failing.
func TestConcurrent(t *testing.T) {
	p, err := expression.EventScope().Condition(`raw.n contains "a"`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for i := range 20 {
		go func() {
			e := sample()
			if i%2 == 0 {
				e.Raw["n"] = "bab"
			}
			got, err := p.Bool(e)
			if i%2 == 0 && (err != nil || !got) {
				done <- fmt.Errorf("got %v, %v", got, err)
				return
			}
			done <- nil
		}()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
