package index

import (
	"math"
	"slices"
	"testing"

	"edrpipe/pkg/events"
)

// TestNecessaryIsNoMoreThanTheExpression: whatever a condition is made of, the index
// leaves it among the candidates of every event on which it holds; and leaves it out
// where it can tell that it does not.
func TestNecessaryIsNoMoreThanTheExpression(t *testing.T) {
	t.Parallel()
	tests := []struct {
		when string
		want bool // candidate for processStart
	}{
		// Comparisons of constants, in every order.
		{`1 < 2 && process.pid == 4711`, true}, {`2 <= 1`, false}, {`2 <= 2 && process.pid == 4711`, true}, {`"a" <= "a" && process.pid == 4711`, true}, {`2 >= 2 && process.pid == 4711`, true}, {`1 > 2`, false},
		{`"a" == "a" && process.pid == 4711`, true}, {`"a" != "a"`, false}, {`"b" < "a"`, false}, {`"a" <= "b" && process.pid == 1`, false},
		{`!(1 == 1)`, false}, {`!(1 != 1) && process.pid == 4711`, true},
		// The constant on the left turns the order round.
		{`4711 == process.pid`, true}, {`4712 != process.pid`, true}, {`4711 != process.pid`, false},
		{`4711 < process.pid`, false}, {`4711 <= process.pid`, true}, {`4710 < process.pid`, true}, {`4711 > process.pid`, false}, {`4711 >= process.pid`, true},
		// Bounds, and what is not inside.
		{`process.pid > 4711`, false}, {`process.pid >= 4711`, true}, {`process.pid < 4711`, false}, {`process.pid <= 4711`, true},
		{`!(process.pid > 4711)`, true}, {`!(process.pid >= 4711)`, false}, {`!(process.pid < 4711)`, true}, {`!(process.pid <= 4711)`, false},
		{`process.pid in [1, 4711]`, true}, {`process.pid in [1, 2]`, false}, {`process.pid not in [1, 4711]`, false}, {`process.pid not in [1, 2]`, true},
		{`process.pid in 4000..5000`, true}, {`net.remote_port in 1..442`, false}, {`net.remote_port in 1..443`, true}, {`net.remote_port not in 443..443`, false},
		{`process.pid == -4711`, false}, {`process.pid > -1`, true}, {`process.pid == 4710 + 1`, true}, {`process.pid == 4710 + 2`, false},
		// Numbers with a fraction: nothing is the opposite of an order.
		{`feed.score > 74.5`, true}, {`feed.score > 75`, false}, {`feed.score >= 75`, true}, {`!(feed.score < 75)`, true}, {`feed.score == 75.0`, true}, {`feed.score != 75`, false},
		// Texts.
		{`process.name not in ["cmd.exe"]`, true}, {`process.name not in ["cmd.exe", "powershell.exe"]`, false},
		{`!(process.name contains "shell")`, false}, {`!(process.name startsWith "cmd")`, true}, {`!(process.name endsWith ".exe")`, false},
		{`iin(process.name, ["CMD.EXE", "POWERSHELL.EXE"])`, true}, {`iin(process.name, ["CMD.EXE"])`, false}, {`!iin(process.name, ["POWERSHELL.EXE"])`, false},
		{`ieq(process.parent.name, "WinWord.EXE")`, true}, {`ieq(process.parent.name, "excel.exe")`, false}, {`!ieq(process.parent.name, "WINWORD.exe")`, false},
		{`icontains(process.command_line, "-ENCODED")`, true}, {`istartswith(process.command_line, "POWERSHELL -n")`, true}, {`iendswith(process.command_line, "sqbfafgb")`, false},
		{`process.command_line contains ""`, true}, {`process.name == ""`, false}, {`process.name != ""`, true},
		{`upper(process.name) == "POWERSHELL.EXE"`, true}, {`upper(process.name) == "CMD.EXE"`, false}, {`lower(upper(process.name)) == "powershell.exe"`, true},
		// Presence.
		{`has(process.name)`, true}, {`has(process.md5)`, false}, {`!has(process.md5)`, true}, {`!has(process.pid)`, false}, {`has(process.already_running)`, false}, {`has(feed.score)`, true},
		// Patterns.
		{`glob(process.path, "c:*powershell.exe")`, true}, {`glob(process.path, "*cmd.exe")`, false}, {`iglob(process.path, "C:*POWERSHELL*")`, true}, {`iglob(process.path, "D:*WORD*X*")`, false},
		{`!glob(process.path, "*")`, false}, {`!glob(process.path, "*cmd*")`, true}, {`!glob(process.md5, "")`, true},
		{`!(process.name matches "^x")`, true}, {`!(process.name matches "")`, false}, {`process.name matches "^(powershell|cmd)[.]exe$"`, true}, {`process.name matches "(foo)+"`, false},
		{`process.name matches "(foo){2,3}"`, false}, {`process.name matches "(foo)?"`, true}, {`process.name matches "(foo)*shell"`, true}, {`process.name matches "[Ss][Hh]ell"`, true}, {`process.name matches "[xX]yz"`, false},
		// Networks.
		{`cidr(net.remote_ip, "10.0.0.0/8")`, true}, {`cidr(net.remote_ip, "192.168.0.0/16", "172.16.0.0/12")`, false}, {`cidr(net.remote_ip, "192.168.0.0/16", "10.1.2.0/24")`, true},
		{`!cidr(net.remote_ip, "10.0.0.0/8")`, false}, {`!cidr(net.remote_ip, "192.168.0.0/16", "172.16.0.0/12")`, true}, {`!cidr(net.local_ip, "10.0.0.0/8")`, true},
		// Lists of constants, spelt out.
		{`any(["cmd", "power"], process.name startsWith #)`, true}, {`any(["cmd", "sh"], process.name startsWith #)`, false}, {`all(["power", "shell"], process.name contains #)`, true},
		{`all(["power", "cmd"], process.name contains #)`, false}, {`none(["power", "cmd"], process.name contains #)`, false}, {`none(["sh.", "cmd"], process.name contains #)`, true},
		{`!any(["cmd", "power"], process.name startsWith #)`, false}, {`!all(["power", "cmd"], process.name contains #)`, true}, {`!none(["power"], process.name contains #)`, true},
		{`any([], process.name contains #)`, false},
		// Branches and names.
		{`process.pid == 4711 ? process.name == "powershell.exe" : false`, true}, {`let n = lower(process.name); n == "powershell.exe"`, true}, {`let n = process.name; n == "cmd.exe"`, false},
		{`process.name == "cmd.exe" or process.pid == 4711`, true}, {`process.name == "cmd.exe" or process.pid == 1`, false}, {`not (process.name == "cmd.exe" or process.pid == 1)`, true}, {`not (process.name == "cmd.exe" and process.pid == 4711)`, true},
		{`process.name == process.name`, true}, {`process.name != process.name`, true},
	}
	e := processStart()
	for _, tt := range tests {
		program, err := eventScope.Condition(tt.when)
		if err != nil {
			t.Errorf("%s: %v", tt.when, err)
			continue
		}
		holds, err := program.Bool(e)
		if err != nil || holds && !tt.want {
			t.Errorf("the table is wrong: %s = %v, %v", tt.when, holds, err)
		}
		got := candidate(newIndex(t, "*", tt.when), e)
		if holds && !got {
			t.Errorf("%s holds and is left out", tt.when)
		}
		if got != tt.want {
			t.Errorf("%s is a candidate: %v, want %v", tt.when, got, tt.want)
		}
	}
}

// TestNotANumber: nothing is less, more or equal; only "not equal" holds.
func TestNotANumber(t *testing.T) {
	t.Parallel()
	e := processStart()
	e.Feed.Score = math.NaN()
	for _, when := range []string{`feed.score > 1.0`, `feed.score < 1.0`, `feed.score == 1.0`, `feed.score != 1.0`, `!(feed.score > 1.0)`, `!(feed.score <= 1.0)`, `feed.score == feed.score`, `feed.score != feed.score`} {
		holds, err := compile(t, when).Bool(e)
		if err != nil {
			t.Fatal(err)
		}
		if got := candidate(newIndex(t, "*", when), e); holds && !got {
			t.Errorf("%s holds for NaN and is left out", when)
		}
	}
}

// TestTreesAreFlat: what is always or never true is left out, and groups in groups of
// the same kind are one.
func TestTreesAreFlat(t *testing.T) {
	t.Parallel()
	a, b, c := cond{op: condHolds, atom: 1}, cond{op: condLacks, atom: 2}, cond{op: condHolds, atom: 3}
	for name, tt := range map[string]struct {
		got  cond
		op   condOp
		kids int
	}{
		"all of nothing":       {allOf(), condAlways, 0},
		"any of nothing":       {anyOf(), condNever, 0},
		"all with always":      {allOf(always, a, always), condHolds, 0},
		"any with never":       {anyOf(never, b), condLacks, 0},
		"all with never":       {allOf(a, never, b), condNever, 0},
		"any with always":      {anyOf(a, always), condAlways, 0},
		"all in all":           {allOf(allOf(a, b), c), condAll, 3},
		"any in any":           {anyOf(a, anyOf(b, c)), condAny, 3},
		"any in all stays one": {allOf(anyOf(a, b), c), condAll, 2},
		"all in any stays one": {anyOf(allOf(a, b), c), condAny, 2},
	} {
		if tt.got.op != tt.op || len(tt.got.kids) != tt.kids {
			t.Errorf("%s is %+v, want op %d with %d kids", name, tt.got, tt.op, tt.kids)
		}
	}
}

// TestKeysTellAtomsApart: the same claim has one key, another claim another.
func TestKeysTellAtomsApart(t *testing.T) {
	t.Parallel()
	f, g := &field{path: "a"}, &field{path: "b"}
	set := func(all ...string) map[string]struct{} {
		m := map[string]struct{}{}
		for _, s := range all {
			m[s] = struct{}{}
		}
		return m
	}
	nums := func(all ...int64) map[int64]struct{} {
		m := map[int64]struct{}{}
		for _, n := range all {
			m[n] = struct{}{}
		}
		return m
	}
	different := []*atom{
		{field: f, op: opEqual, text: "x"}, {field: g, op: opEqual, text: "x"}, {field: f, op: opPrefix, text: "x"}, {field: f, op: opEqual, text: "y"},
		{field: f, op: opEqual, text: "x", fold: true}, {field: f, op: opEqual, text: "x", refusable: true},
		{field: f, op: opIn, texts: set("a", "b")}, {field: f, op: opIn, texts: set("ab")}, {field: f, op: opIn, texts: set("a", "b1:c")}, {field: f, op: opIn, texts: set("a", "b", "c")},
		{field: f, op: opIs, num: 1}, {field: f, op: opIs, num: 2}, {field: f, op: opIs, float: true, flt: 1}, {field: f, op: opIs, float: true, flt: 1.5}, {field: f, op: opMore, num: 1},
		{field: f, op: opIsIn, nums: nums(1, 2)}, {field: f, op: opIsIn, nums: nums(12)}, {field: f, op: opIsIn, nums: nums(1)},
	}
	keys := map[string]*atom{}
	for _, a := range different {
		if other := keys[a.key()]; other != nil {
			t.Errorf("%+v and %+v have one key", a, other)
		}
		keys[a.key()] = a
	}
	if a, b := (&atom{field: f, op: opIn, texts: set("a", "b", "c")}), (&atom{field: f, op: opIn, texts: set("c", "b", "a")}); a.key() != b.key() {
		t.Error("the order of a set is part of its key")
	}
	if all := sortedKeys(nums(3, 1, 2)); !slices.Equal(all, []int64{1, 2, 3}) {
		t.Errorf("sorted as %v", all)
	}
}

// candidate reports whether the index's only condition is a candidate for the event.
func candidate(x *Index, e *events.Event) bool {
	return len(x.Class(e.Event.Type, e.Event.Kind).Candidates(nil, e)) == 1
}
