package index

import "testing"

func TestDecided(t *testing.T) {
	for _, c := range []struct {
		source         string
		value, decided bool
	}{
		{"1 == 1", true, true},
		{"!(2 < 1)", true, true},
		{`process.name == process.name`, true, true},
		{`process.name contains ""`, true, true},
		{`process.name matches ".*"`, true, true},
		{`process.name matches "^(a|b?)"`, true, true},
		{`process.name matches "x*|y"`, true, true},
		{`iglob(process.name, "**")`, true, true},
		{`net.proxy or not net.proxy`, true, true},
		{`process.name == "a" or process.pid == 1 or process.name != "a"`, true, true},
		{`process.name == "a" and process.name != "a"`, false, true},
		{`false`, false, true},
		{`process.pid == 1 and not true`, false, true},
		{`process.pid == 1 and process.pid == 2`, false, true},

		{`process.name == "a"`, false, false},
		{`process.name matches "a"`, false, false},
		{`process.name matches "^$"`, false, false},
		{`process.name matches "^.*$"`, false, false}, // not of a text of two lines
		{`process.name matches "\\b"`, false, false},
		{`glob(process.name, "")`, false, false},
		{`glob(process.name, "?*")`, false, false},
		{`feed.score == feed.score`, false, false}, // not of NaN
		{`process.name == process.path`, false, false},
		{`process.name == "a" or process.name == "b"`, false, false},
		{`raw.a.b > 1 ? true : true`, false, false}, // fails where there is no raw.a
	} {
		p, err := eventScope.Condition(c.source)
		if err != nil {
			t.Fatal(err)
		}
		if value, decided := Decided(p.Node()); decided != c.decided || decided && value != c.value {
			t.Errorf("%s: value %v, decided %v; want %v, %v", c.source, value, decided, c.value, c.decided)
		}
	}
}
