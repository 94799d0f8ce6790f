package fleet

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/events"
)

// named makes a fleet of servers that only have names.
func named(t *testing.T, accept ...[]string) *Fleet {
	t.Helper()
	var members []*Member
	for _, names := range accept {
		members = append(members, &Member{Name: names[0], Accept: names[1:]})
	}
	f, err := New(Config{Members: members})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestOf(t *testing.T) {
	t.Parallel()
	one := [][]string{{"hq", "hq"}}
	renamed := [][]string{{"hq", "cbserver"}}
	two := [][]string{{"hq", "cbserver", "edr.hq.example"}, {"branch", "branch"}}
	for name, tc := range map[string]struct {
		fleet       [][]string
		event, from string // in the event; the source's binding
		want        string // "": other_server
	}{
		"its name":                          {one, "hq", "", "hq"},
		"in other case":                     {one, "HQ", "", "hq"},
		"another name":                      {one, "cbserver", "", ""},
		"another name on a bound source":    {one, "cbserver", "hq", ""},
		"none, one server":                  {one, "", "", "hq"},
		"none, bound":                       {one, "", "hq", "hq"},
		"none, bound to what is not ours":   {one, "", "lab", ""},
		"accepted":                          {renamed, "cbserver", "", "hq"},
		"configured name is not accepted":   {renamed, "hq", "", ""},
		"configured name as a binding":      {renamed, "", "hq", "hq"},
		"first of two":                      {two, "cbserver", "", "hq"},
		"second of two":                     {two, "branch", "", "branch"},
		"the event goes before its source":  {two, "branch", "hq", "branch"},
		"none of two":                       {two, "", "", ""},
		"bound to one of two":               {two, "", "branch", "branch"},
		"bound by a word of a subject     ": {two, "", "edr_hq_example", "hq"},
		"a subject's word in the event":     {two, "edr_hq_example", "", ""},
		"unknown of two":                    {two, "lab", "branch", ""},
		"part of a name":                    {two, "cbserver2", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &events.Event{}
			e.Event.Server = tc.event
			if tc.event == "" { // as decoding does
				e.Event.Server, e.Event.Bound = tc.from, tc.from
			}
			got, m := "", (*Member)(nil)
			m, err := named(t, tc.fleet...).Of(e)
			if m != nil {
				got = m.Name
			}
			if got != tc.want {
				t.Errorf("server %q, %v; want %q", got, err, tc.want)
			}
			var other *OtherServer
			if tc.want == "" && (!errors.As(err, &other) || !strings.Contains(err.Error(), other.Name)) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNoTwoServersAcceptOneName(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Members: []*Member{{Name: "hq", Accept: []string{"cbserver"}}, {Name: "branch", Accept: []string{"CBSERVER"}}}})
	if err == nil || !strings.Contains(err.Error(), "hq and branch both accept") {
		t.Errorf("error %v", err)
	}
}

// Names of other servers come from events: what is remembered of them is bounded, and
// their text is no instruction to a terminal.
func TestOthersAreBounded(t *testing.T) {
	t.Parallel()
	f := named(t, []string{"hq", "hq"})
	count := func(name string) string { return f.others.count(&OtherServer{Name: name}, time.Now()) }
	for range 1204 {
		count("cbserver")
	}
	if got, want := f.OthersText(), "1,204 events name the server cbserver, which no configured server accepts: add it to accept"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got := count("a\x1b[2Jb" + strings.Repeat("x", 1000)); strings.ContainsRune(got, 0x1b) || len(got) > 100 {
		t.Errorf("counted as %q", got)
	}
	for i := range 1000 {
		count(fmt.Sprint("server", i))
	}
	if n := len(f.Others()); n > maxOthers+1 {
		t.Errorf("%d names are remembered", n)
	}
	if text := f.OthersText(); !strings.Contains(text, "name further servers") {
		t.Errorf("text %q", text)
	}
}
