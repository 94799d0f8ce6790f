package attack

import (
	"slices"
	"strings"
	"testing"
)

// TestTheList holds the shipped list to what is known of its version: 14 tactics, 216
// techniques, 475 sub-techniques, and no tactic that the matrix does not have.
func TestTheList(t *testing.T) {
	m := Enterprise()
	whole, parts := 0, 0
	for id, tactics := range m.techniques {
		if strings.Contains(id, ".") {
			parts++
		} else {
			whole++
		}
		for _, name := range tactics {
			if !slices.ContainsFunc(m.Tactics, func(t Tactic) bool { return t.Name == name }) {
				t.Errorf("%s is of tactic %q, which is none", id, name)
			}
		}
	}
	if m.Version != "18.0" || len(m.Tactics) != 14 || whole != 216 || parts != 475 {
		t.Errorf("version %s, %d tactics, %d techniques, %d sub-techniques", m.Version, len(m.Tactics), whole, parts)
	}
	for old, now := range m.became {
		if m.techniques[old] != nil || m.techniques[now] == nil {
			t.Errorf("%s became %s: one is in the list and should not be, or the other is not", old, now)
		}
	}
}

func TestTags(t *testing.T) {
	m := Enterprise()
	for tag, want := range map[string]struct {
		technique, instead string
		wrong              bool
	}{
		"attack.t1059.001":         {technique: "T1059.001"},
		"attack.T1059":             {technique: "T1059"},
		"attack.credential_access": {},
		"attack.credential-access": {},
		"attack.ta0002":            {},
		"attack.g0007":             {},
		"cve.2021-44228":           {},
		"attack.t1086":             {instead: "attack.t1059.001", wrong: true},
		"attack.t1059.099":         {instead: "attack.t1059", wrong: true},
		"attack.t9999":             {wrong: true},
		"attack.excution":          {wrong: true},
		"attack.":                  {wrong: true},
	} {
		id, ok := m.Technique(tag)
		instead, wrong := m.Wrong(tag)
		if ok != (want.technique != "") || ok && id != want.technique || instead != want.instead || wrong != want.wrong {
			t.Errorf("%s: technique %s %v, instead %q, wrong %v", tag, id, ok, instead, wrong)
		}
	}
	for _, tag := range m.Tags() {
		if _, wrong := m.Wrong(tag); wrong {
			t.Errorf("%s is offered, and wrong", tag)
		}
	}
}

func TestCoverage(t *testing.T) {
	c := Enterprise().Coverage([]Rule{
		{"a", []string{"attack.t1059.001", "attack.execution", "attack.t1059.001"}},
		{"b", []string{"attack.t1059", "attack.t1078"}},
		{"c", []string{"attack.persistence"}},
		{"d", []string{"attack.t1547.001"}},
	})
	if len(c.Techniques) != 4 || !slices.Equal(c.Untagged, []string{"c"}) {
		t.Errorf("%+v", c.Techniques)
	}
	covered := map[string]int{}
	for _, tc := range c.Tactics {
		covered[tc.Name] = len(tc.Covered)
		if tc.Name == "execution" && (!slices.Equal(tc.Covered, []string{"T1059"}) || !slices.Contains(tc.Missing, "T1047") || slices.Contains(tc.Missing, "T1003")) {
			t.Errorf("execution: %+v", tc)
		}
	}
	if covered["execution"] != 1 || covered["initial-access"] != 1 || covered["persistence"] != 2 || covered["impact"] != 0 {
		t.Errorf("%v", covered)
	}
	l := c.Layer("ours")
	if l.Versions.Attack != "18" || len(l.Techniques) != 4 || l.Gradient.MaxValue != 1 || l.Techniques[0] != (LayerTechnique{"T1059", 1, "b"}) {
		t.Errorf("%+v", l)
	}
}

func TestRead(t *testing.T) {
	for _, text := range []string{"T1 execution 1-x", "T1 execution x", "T1", "T1 a b c d"} {
		if _, err := read(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
