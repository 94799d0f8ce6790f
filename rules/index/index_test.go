package index

import (
	"fmt"
	"slices"
	"testing"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

var eventScope = expression.EventScope().Lenient()

func compile(t testing.TB, src string) *expression.Program {
	t.Helper()
	p, err := eventScope.Condition(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}

func newIndex(t testing.TB, on string, sources ...string) *Index {
	t.Helper()
	var conditions []Condition
	for _, src := range sources {
		conditions = append(conditions, Condition{On: []string{on}, Tree: compile(t, src).Node()})
	}
	return New(conditions)
}

func processStart() *events.Event {
	e := &events.Event{}
	e.Event.Type, e.Event.Kind = "ingress.event.procstart", events.ProcessStart
	e.Process.Name = "powershell.exe"
	e.Process.Path = `c:\windows\system32\windowspowershell\v1.0\powershell.exe`
	e.Process.CommandLine = `PowerShell -NoProfile -EncodedCommand SQBFAFgA`
	e.Process.PID = 4711
	e.Process.Parent.Name = "winword.exe"
	e.Net.RemoteIP, e.Net.RemotePort = "10.1.2.3", 443
	e.Feed.Score = 75
	return e
}

func TestCandidates(t *testing.T) {
	tests := []struct {
		name string
		when string
		want bool // is it a candidate for processStart
	}{
		{"equality holds", `process.name == "powershell.exe"`, true},
		{"equality does not", `process.name == "cmd.exe"`, false},
		{"constant on the left", `"cmd.exe" == process.name`, false},
		{"in a list", `process.name in ["cmd.exe", "powershell.exe"]`, true},
		{"not in the list", `process.name in ["cmd.exe", "sh"]`, false},
		{"literal in another case", `lower(process.command_line) contains "-encodedcommand"`, true},
		{"case kept", `process.command_line contains "-encodedcommand"`, false},
		{"never true of lower", `lower(process.name) == "POWERSHELL.EXE"`, true}, // the expression decides
		{"opposite of never true", `lower(process.name) != "POWERSHELL.EXE"`, true},
		{"suffix", `process.path endsWith "\\powershell.exe"`, true},
		{"suffix elsewhere", `process.path endsWith "\\v1.0"`, false},
		{"prefix", `process.path startsWith "c:\\windows"`, true},
		{"trim", `trim(process.name) == "powershell.exe"`, true},
		{"trim is not empty", `trim(process.name) != ""`, true},
		{"short literal", `process.command_line contains "-N"`, true},
		{"shorter literal", `process.command_line contains "~"`, false},
		{"regular expression", `process.command_line matches "(?i)-enc[a-z]* +[A-Z]{4}"`, true},
		{"regular expression without its literal", `process.command_line matches "(?i)-hidden\\s+x"`, false},
		{"alternatives", `process.command_line matches "foo|bar"`, false},
		{"range", `net.remote_port > 1024`, false},
		{"range holds", `net.remote_port in 1..1024`, true},
		{"float", `feed.score >= 75`, true},
		{"float less", `feed.score < 75`, false},
		{"not of a range", `!(net.remote_port > 1024)`, true},
		{"boolean", `process.already_running`, false},
		{"not boolean", `!process.already_running`, true},
		{"and", `process.name == "powershell.exe" && process.parent.name == "explorer.exe"`, false},
		{"or", `process.name == "x" || process.parent.name == "winword.exe"`, true},
		{"or of none", `process.name == "x" || process.parent.name == "y"`, false},
		{"refused by a negated atom", `process.name == "powershell.exe" && !(process.parent.name == "winword.exe")`, false},
		{"de Morgan", `!(process.name != "powershell.exe" || process.parent.name != "winword.exe")`, true},
		{"ternary", `process.pid > 0 ? process.name == "x" : true`, false},
		{"let", `let n = lower(process.name); n == "x" || n endsWith ".com"`, false},
		{"let of let", `let a = process.name; let b = lower(a); b == "x"`, false},
		{"list of constants", `any(["-enc", "-w hidden"], lower(process.command_line) contains #)`, true},
		{"all of constants", `all(["-enc", "-w hidden"], lower(process.command_line) contains #)`, false},
		{"none of constants", `none(["-Enc", "-w hidden"], process.command_line contains #)`, false},
		{"default", `(process.name ?? "") == "x"`, false},
		{"constant", `false`, false},
		{"error is seen", `int(raw.a) == 1`, true},
		{"error hides what follows", `int(raw.a) == 1 && process.name == "x"`, true},
		{"error is not reached", `process.name == "x" && int(raw.a) == 1`, false},
		{"modulo by zero", `4 % process.fork_pid == 1 && process.name == "x"`, true},
		{"key of the message", `raw.a == 1 && process.name == "x"`, false},
		{"icontains", `icontains(process.command_line, "-ENCODEDcommand")`, true},
		{"ieq", `ieq(process.name, "Cmd.exe")`, false},
		{"istartswith", `istartswith(process.path, "C:\\WINDOWS")`, true},
		{"iendswith", `iendswith(process.path, "\\CMD.EXE")`, false},
		{"iin", `iin(process.name, ["CMD.EXE", "PowerShell.EXE"])`, true},
		{"not iin", `!iin(process.name, ["CMD.EXE", "PowerShell.EXE"])`, false},
		{"glob", `glob(process.path, "c:\\*\\pwsh.exe")`, false},
		{"iglob", `iglob(process.path, "C:\\*\\POWERSHELL.exe")`, true},
		{"cidr", `cidr(net.remote_ip, "10.0.0.0/8", "192.168.0.0/16")`, true},
		{"other cidr", `cidr(net.remote_ip, "172.16.0.0/12", "fd00::/8")`, false},
		{"not cidr", `!cidr(net.remote_ip, "10.0.0.0/8")`, false},
		{"has", `has(process.parent.name) && has(process.guid)`, false},
		{"has not", `!has(process.parent.name)`, false},
		{"has number", `has(process.pid) && has(net.remote_port)`, true},
		{"basename", `basename(process.path) == "powershell.exe"`, true},
		{"other basename", `basename(process.path) == "cmd.exe"`, false},
		{"of nothing", `is_private(net.remote_ip) && process.name == "x"`, false},
		{"a fact cannot be told, the rest can", `(!known(sensor.os) || sensor.os == "windows") && process.name == "x"`, false},
		{"a fact of any kind does not hide the rest", `known(sensor.tags) && known(sensor.criticality) && process.name == "x"`, false},
		{"a fact alone", `!known(sensor.os) || sensor.os == "windows"`, true},
		{"not a fact", `!(known(sensor.os) && sensor.os == "linux")`, true},
		{"age is read without fail", `event.age < duration("15m") && process.name == "x"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex(t, "process_start", tt.when)
			e := processStart()
			got := len(x.Class(e.Event.Type, e.Event.Kind).Candidates(nil, e)) == 1
			if got != tt.want {
				t.Errorf("candidate = %v, want %v; F is %s", got, tt.want, x.describe(x.conds.tree(0)))
			}
		})
	}
}

// describe prints a necessary condition for a failing test.
func (x *Index) describe(tree []node) string {
	switch tree[0].op {
	case condAlways:
		return "always"
	case condNever:
		return "never"
	case condHolds, condLacks:
		a := x.atoms[tree[0].atom]
		not := map[condOp]string{condLacks: "!"}[tree[0].op]
		return fmt.Sprintf("%s%s/%d/%q", not, a.field.path, a.op, a.text)
	}
	s := map[condOp]string{condAll: "all", condAny: "any"}[tree[0].op] + "("
	for kid := range kids(tree) {
		s += x.describe(kid) + " "
	}
	return s + ")"
}

func TestNames(t *testing.T) {
	tests := []struct {
		on, typ, kind string
		want          bool
	}{
		{"process_start", "ingress.event.procstart", "process_start", true},
		{"ingress.event.procstart", "ingress.event.procstart", "process_start", true},
		{"ingress.event.proc*", "ingress.event.procend", "process_end", true},
		{"watchlist.*", "watchlist.storage.hit.process", "watchlist_hit", true},
		{"*.hit.binary", "feed.query.hit.binary", "feed_hit", true},
		{"feed.*.hit.*", "feed.query.hit.binary", "feed_hit", true},
		{"feed.*.hit.*", "feed.synchronized", "other", false},
		{"a*a", "a", "", false},
		{"watchlist", "watchlist.hit.process", "watchlist_hit", false},
		{"*", "anything", "other", true},
	}
	for _, tt := range tests {
		if got := Names(tt.on, tt.typ, tt.kind); got != tt.want {
			t.Errorf("Names(%q, %q, %q) = %v, want %v", tt.on, tt.typ, tt.kind, got, tt.want)
		}
	}
}

func TestWhyNothingCanBeLookedUp(t *testing.T) {
	x := newIndex(t, "file",
		`file.name == "x"`, `process.pid == process.fork_pid`, `file.name != "x"`, `raw.x == 1`)
	for i, wantWhy := range []bool{false, true, true, true} {
		if got := x.Why(i); (got != "") != wantWhy {
			t.Errorf("Why(%d) = %q, want a reason: %v", i, got, wantWhy)
		}
	}
}

func TestOnlyConditionsOfTheTypeAreAsked(t *testing.T) {
	x := New([]Condition{{On: []string{"file"}}, {On: []string{"ingress.event.filemod", "file"}}, {On: []string{"registry"}}})
	e := &events.Event{}
	e.Event.Type, e.Event.Kind = "ingress.event.filemod", events.FileChange
	if got, want := x.Class(e.Event.Type, e.Event.Kind).Candidates(nil, e), []int{0, 1}; !slices.Equal(got, want) {
		t.Errorf("candidates = %v, want %v", got, want)
	}
}
