package index

import (
	"fmt"
	"strings"
	"testing"

	"edrpipe/pkg/events"
)

// TestWhatIsLeftToTheExpression: conditions that the index must keep among the candidates
// of an event on which they hold or fail, and those that it can tell.
func TestWhatIsLeftToTheExpression(t *testing.T) {
	t.Parallel()
	e := processStart()
	e.Process.User = "\u212aurt" // begins with the Kelvin sign
	e.Net.LocalIP = "::ffff:10.1.2.3"
	e.Process.Parent.PID = 5
	e.Raw = map[string]any{"list": "x"}
	e.Sensor.Type, e.Sensor.Group = "server", "Labs"
	for when, want := range map[string]bool{
		// Facts of the endpoint are read after the lookup: whatever the event carries now.
		`sensor.type == "workstation"`:                    true,
		`sensor.group == "Office" && process.pid == 4711`: true,
		`sensor.group == "Office" && process.pid == 1`:    false,
		`!(sensor.type == "server")`:                      true,
		`sensor.os == "linux"`:                            true,
		// What fails is seen, and hides what stands behind it.
		`int(process.name) == 1 && process.pid == 1`:              true,
		`process.pid == 1 && int(process.name) == 1`:              false,
		`iin(raw.list, ["x"]) && process.pid == 1`:                true,
		`all(["1", "x"], int(#) > 5 && process.pid == 1)`:         true,
		`all(["x", "1"], int(#) == 1 && process.name contains #)`: true,
		`none(["x"], int(#) == 1)`:                                true,
		// An int field against a fraction, an address in either family.
		`process.pid > 4710.5`:                      true,
		`process.pid > 4711.5`:                      false,
		`process.pid == 4711.0`:                     true,
		`cidr(net.local_ip, "10.0.0.0/8")`:          true,
		`cidr(net.local_ip, "::/0")`:                false,
		`cidr(net.remote_ip, "::/8", "11.0.0.0/8")`: false,
		`!cidr(net.local_ip, "10.0.0.0/8")`:         false,
		// Letters that only some foldings join.
		`lower(process.user) == "kurt"`:           true,
		`process.user matches "(?i)^kurt"`:        true,
		`ieq(process.user, "KURT")`:               true,
		`process.name matches "(zzz){0,2}shell"`:  true,
		`process.name matches "(zzz){1,2}shell"`:  false,
		`process.name + "x" == "powershell.exex"`: true,
	} {
		p := compile(t, when)
		holds, err := p.Bool(e)
		got := candidate(newIndex(t, "*", when), e)
		if (holds || err != nil) && !got {
			t.Errorf("%s: %v, %v, and left out", when, holds, err)
		}
		if got != want {
			t.Errorf("%s is a candidate: %v, want %v", when, got, want)
		}
	}
}

// TestNotDecidedByAnAnchor: a pattern that needs a place in the text is not found in all.
func TestNotDecidedByAnAnchor(t *testing.T) {
	t.Parallel()
	for pattern, always := range map[string]bool{`^a*`: true, `(?m)^a*`: false, `\\ba*`: false, `\\Ba*`: false, `a*$`: false, `(a*)(b?)`: true, `(a|b)*`: true, `(a|b)+`: false} {
		value, decided := Decided(compile(t, `process.name matches "`+pattern+`"`).Node())
		if decided != always || decided && !value {
			t.Errorf("%q: value %v, decided %v", pattern, value, decided)
		}
	}
}

// TestNamesInOrder: the parts of a pattern follow each other and do not overlap.
func TestNamesInOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		on, typ string
		want    bool
	}{
		{"a.*.b.*.c", "a.x.b.y.c", true}, {"*.b.*.a.*", "x.a.y.b.z", false}, {"*aa*aa*", "aaa", false}, {"*aa*aa*", "aaaa", true},
		{"ab*ba", "aba", false}, {"ab*ba", "abba", true}, {"*", "", true}, {"a*", "", false}, {"*a", "ba", true}, {"**", "x", true},
	} {
		if got := Names(tt.on, tt.typ, ""); got != tt.want {
			t.Errorf("%s names %s: %v, want %v", tt.on, tt.typ, got, tt.want)
		}
	}
}

// TestBoundsOfTheIndex: types come from outside and expressions may be deep; neither makes
// the index grow or stand still.
func TestBoundsOfTheIndex(t *testing.T) {
	t.Parallel()
	x := newIndex(t, "*", `process.pid == 1`)
	for i := range maxSorts + 100 {
		if x.Class(fmt.Sprint("t", i), "k").Len() != 1 {
			t.Fatal("a type has no condition")
		}
	}
	if x.cached != maxSorts || len(x.sets) != 1 {
		t.Errorf("%d types are kept in %d classes, want %d in 1", x.cached, len(x.sets), maxSorts)
	}
	e := &extractor{intern: func(*atom) int32 { return 0 }, visits: maxVisits}
	if c := e.derive(compile(t, `process.pid == 1`).Node(), nil, true); c.op != condAlways {
		t.Errorf("beyond the bound of visits the condition is %+v, want always", c)
	}
	var opaque []string
	for i := range 6 {
		opaque = append(opaque, fmt.Sprintf("process.pid + %d == process.parent.pid", i+1))
	}
	if why := newIndex(t, "*", strings.Join(opaque, " || ")).Why(0); strings.Count(why, "== process.parent.pid") != 3 {
		t.Errorf("not understood: %q, want three parts", why)
	}
}

// TestTurnsWrapAround: after two billion events nothing of the first counts as fresh.
func TestTurnsWrapAround(t *testing.T) {
	t.Parallel()
	s := &scratch{record: record{fields: make([]fieldRecord, 1), turn: maxTurn}, marks: []mark{{memo: 1<<1 | 1, tried: 1}}, visits: []uint32{1}}
	s.fields[0].canonTurn, s.fields[0].addrTurn = 1, 1
	s.start()
	if s.turn != 1 || s.marks[0].memo>>1 == s.turn || s.marks[0].tried == s.turn || s.visits[0] == s.turn || s.fields[0].canonTurn == s.turn || s.fields[0].addrTurn == s.turn {
		t.Errorf("turn %d: %+v, %v, %+v", s.turn, s.marks[0], s.visits[0], s.fields[0])
	}
}

// TestCostsFollowTheEvents: conditions are filed under the rarer of two atoms, by its form
// at first, then by the events seen; the sample keeps no text whole.
func TestCostsFollowTheEvents(t *testing.T) {
	t.Parallel()
	filed := func(c *Class) string {
		p := c.plan.Load()
		if len(p.slots) != 1 {
			t.Fatalf("filed under %d atoms", len(p.slots))
		}
		return c.atoms[p.slots[0].atom].field.path
	}
	x := newIndex(t, "*", `process.command_line contains "ab" && process.path contains "a long text"`)
	c := x.Class("t", "k")
	if got := filed(c); got != "process.path" {
		t.Errorf("filed under %s before any event, want the longer text", got)
	}
	c.learner.size = 20
	e := &events.Event{}
	e.Process.Path, e.Process.CommandLine = "with a long text in it", strings.Repeat("z", 3*maxKept)
	for range 19 {
		c.Candidates(nil, e)
	}
	for _, values := range c.learner.sample {
		for i, v := range values {
			if len(v.text) > maxKept {
				t.Fatalf("%d bytes of %s are kept", len(v.text), c.fields[i].path)
			}
		}
	}
	c.Candidates(nil, e)
	if got := filed(c); got != "process.command_line" {
		t.Errorf("filed under %s after twenty events in which that held, want the other", got)
	}
}
