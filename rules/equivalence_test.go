package rules

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/fixtures"
	"edrpipe/internal/workload"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/rules/sigma"
)

// long: go test ./rules -run PlainLoop -long
var long = flag.Bool("long", false, "compare the matcher with the plain loop over a hundred times as many events")

// names are what a list of matches and failures comes down to.
func names(matches []Match, failures []Failure) []string {
	var all []string
	for _, m := range matches {
		all = append(all, fmt.Sprintf("%s %s %v %s", m.Rule.ID, m.Event.Event.ID, m.Endpoints, m.Refused))
	}
	for _, f := range failures {
		all = append(all, fmt.Sprintf("%s %s fails", f.Rule.ID, f.Event))
	}
	slices.Sort(all)
	return all
}

// compareMessage checks that the lazy matcher, the indexed one and the plain loop
// agree on a message, and gives how many matches there were.
func compareMessage(t *testing.T, m *Matcher, d *events.Decoder, msg *events.Message) int {
	t.Helper()
	var loop, indexed []string
	decoded, rejects := d.Decode(msg)
	for _, e := range decoded {
		loop = append(loop, names(m.Set().MatchLoop(e))...)
		indexed = append(indexed, names(m.Set().Match(e))...)
	}
	found := m.Message(msg)
	slices.Sort(loop)
	slices.Sort(indexed)
	lazy := names(found.Matches, found.Failures)
	if !slices.Equal(loop, indexed) || !slices.Equal(loop, lazy) {
		t.Fatalf("message %.2000q:\nplain loop %q\nindexed    %q\nlazy       %q", msg.Body, loop, indexed, lazy)
	}
	if len(found.Rejects) != len(rejects) {
		t.Fatalf("message %.2000q: %d rejects, decoded %d", msg.Body, len(found.Rejects), len(rejects))
	}
	return len(loop)
}

// sigmaSet is the converted fixtures of package sigma.
func sigmaSet(t testing.TB) *Set {
	t.Helper()
	files, _ := filepath.Glob("sigma/testdata/*.yml")
	var made []workload.Rule
	lists := newLists()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range sigma.Convert(filepath.Base(file), data) {
			if r.Rule != nil {
				made = append(made, workload.Rule{ID: r.Rule.ID, On: r.Rule.On[0], When: r.Rule.When})
				for name, values := range r.Rule.Lists {
					if len(values) == 0 {
						values = []string{"root"} // the operator fills it
					}
					lists.byName[name] = listsOf(t, name, strings.Join(values, "\n")+"\n").byName[name]
				}
			}
		}
	}
	if len(made) < 50 {
		t.Fatalf("only %d converted Sigma rules", len(made))
	}
	return setWith(t, expression.EventScope().WithLists(lists), made)
}

var literal = regexp.MustCompile("`[^`]*`|\"(?:[^\"\\\\]|\\\\.)*\"")

// literalsOf are the texts that the rules compare with.
func literalsOf(set *Set) []string {
	var texts []string
	for _, r := range set.Rules() {
		for _, quoted := range literal.FindAllString(r.When, -1) {
			texts = append(texts, strings.Trim(quoted, "`\""))
		}
	}
	return texts
}

var hostile = []string{"K", "ı", "İ", "ſ", "ς", "Σ", "ß", "\xff", "\xc3", "\x00", "�", "𐐀", " ", `\`, "K", "s", "i"}

// forge is a forwarder's line whose texts are made of what rules look for.
func forge(r *rand.Rand, words []string) []byte {
	text := func() string {
		var s string
		for range r.IntN(5) {
			w := words[r.IntN(len(words))]
			switch r.IntN(6) {
			case 0:
				w = strings.ToUpper(w)
			case 1:
				w = strings.ToLower(w)
			case 2:
				w = hostile[r.IntN(len(hostile))]
			case 3:
				w = strings.NewReplacer("k", "K", "s", "ſ", "i", "ı").Replace(w)
			}
			s += w
		}
		return s
	}
	types := []string{"procstart", "filemod", "regmod", "moduleload", "netconn", "crossprocopen", "remotethread", "procend", "filelessscriptload"}
	path := text()
	line := map[string]any{
		"type": "ingress.event." + types[r.IntN(len(types))], "sensor_id": r.IntN(3), "timestamp": 1725526400, "pid": r.IntN(200),
		"process_path": path, "path": text(), "command_line": text(), "parent_path": text(), "username": text(),
		"domain": text(), "remote_ip": []string{"10.1.2.3", "203.0.113.9", "::1", text()}[r.IntN(4)], "local_ip": "fd00::7",
		"remote_port": []int{443, 4444, 3389, 61000}[r.IntN(4)], "local_port": []int{3389, 50000}[r.IntN(2)],
		"direction": []string{"inbound", "outbound"}[r.IntN(2)], "protocol": []int{6, 17}[r.IntN(2)],
		"action":      []string{"create", "writeval", "delete", "delval", "createkey", "lastwrite"}[r.IntN(6)],
		"target_path": text(), "requested_access": []int{4112, 5136, 1}[r.IntN(3)], "script": text(), "is_target": r.IntN(4) == 0,
		"md5": strings.ToUpper("0f0102030405060708090a0b0c0d0e0f"), "sha256": "",
	}
	data, _ := json.Marshal(line)
	if r.IntN(3) == 0 { // bytes that are not UTF-8: Marshal would have replaced them
		data = bytes.Replace(data, []byte("c"), []byte("\xff"), 1)
	}
	return data
}

func TestMatcherIsThePlainLoop(t *testing.T) {
	sets := map[string]*Set{"generated": setOf(t, workload.Rules(600, 3)), "sigma": sigmaSet(t)}
	n := 1500
	if *long {
		n = 150_000
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			m, d := NewMatcher(set, &events.Decoder{}, nil), &events.Decoder{}
			r := rand.New(rand.NewPCG(1, 2))
			words := literalsOf(set)
			matched := 0
			for i := range n {
				msg := events.Message{Body: forge(r, words), Received: time.Unix(1725526400, 0)}
				if i%3 == 0 {
					msg.Body = workload.JSON(1, uint64(i))[0]
				}
				matched += compareMessage(t, m, d, &msg)
			}
			if matched < n/1000 {
				t.Errorf("%d matches in %d events: the comparison shows little", matched, n)
			}
		})
	}
}

func TestMatcherIsThePlainLoopOnMessages(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		file, err := os.Open(filepath.Join(dir, "events", "dev", "bus.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		sets := []*Set{setOf(t, workload.Rules(300, 4)), sigmaSet(t), setOf(t, common)}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<24)
		matched := 0
		for lines.Scan() {
			msg, err := events.ParseCapture(lines.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range sets {
				matched += compareMessage(t, NewMatcher(set, &events.Decoder{}, nil), &events.Decoder{}, &msg)
			}
		}
		if matched == 0 {
			t.Error("no rule matched any event")
		}
	})
}

// common are conditions that ordinary events fulfil.
var common = []workload.Rule{
	{ID: "exe", On: "*", When: `iendswith(process.path, ".EXE")`},
	{ID: "system", On: "ingress.event.*", When: "istartswith(process.path, `C:\\Windows\\System32\\`) && !(process.name in ['svchost.exe'])"},
	{ID: "hit", On: "watchlist.*", When: `has(watchlist.name) && len(process.guid) > 0`},
	{ID: "feed", On: "feed_hit", When: `feed.score >= 50 || ioc.type == "query"`},
	{ID: "alert", On: "alert", When: `alert.severity > 10.5 && sensor.group != "Nobody"`},
	{ID: "write", On: "file", When: `file.action in ["write", "lastwrite"] && file.name matches "(?i)\\.(log|tmp|dat)$"`},
	{ID: "raw", On: "*", When: `has(raw.docs) || raw.cb_version != nil`},
	{ID: "fails", On: "registry", When: `int(reg.path) > 0 && process.pid > 0`},
}

func TestFailuresAreCountedAndNamed(t *testing.T) {
	set := setOf(t, common)
	msg := events.Message{Body: []byte(`{"type":"ingress.event.regmod","path":"\\registry\\machine\\x","process_path":"c:\\a.dll","sensor_id":1,"pid":4,"timestamp":1725526400}`)}
	found := NewMatcher(set, &events.Decoder{}, nil).Message(&msg)
	if len(found.Failures) != 1 || found.Failures[0].Rule.ID != "fails" || found.Failures[0].Part != "when" {
		t.Fatalf("failures = %v, want one of rule fails in when", found.Failures)
	}
	if got := set.Counters().Failures.Load(); got != 1 {
		t.Errorf("counted %d failures, want 1", got)
	}
}

func TestKinds(t *testing.T) {
	tests := []struct {
		on        string
		has, lack string
	}{
		{"process_start", events.ProcessStart, events.Registry},
		{"ingress.event.regmod", events.Registry, events.FileChange},
		{"watchlist.*", events.WatchlistHit, events.FeedHit},
		{"*.hit.binary", events.AlertRaised, ""},
		{"endpoint.event.new", events.Registry, ""},
	}
	for _, tt := range tests {
		set := setOf(t, []workload.Rule{{ID: "a", On: tt.on, When: "true"}})
		if !set.Kinds().Has(tt.has) || tt.lack != "" && set.Kinds().Has(tt.lack) {
			t.Errorf("on %s: kinds %b, want %s and not %q", tt.on, set.Kinds(), tt.has, tt.lack)
		}
	}
	if NewSet(nil).Kinds().Has(events.ProcessStart) {
		t.Error("without rules process_start is wanted")
	}
}

func TestRefused(t *testing.T) {
	event := func(age time.Duration, sensors ...string) *events.Event {
		e := &events.Event{}
		e.Event.Time, e.Event.Age, e.Sensor.IDs = testBegin, age, sensors
		return e
	}
	timeless := &events.Event{Sensor: events.Sensor{IDs: []string{"1"}}}
	each := &Sensors{Each: true, Max: 2}
	tests := []struct {
		name    string
		rule    Rule
		event   *events.Event
		sensors int
		want    string
	}{
		{"one", Rule{MaxAge: time.Minute}, event(0, "1"), 1, ""},
		{"none", Rule{}, event(0), 0, NoSensor},
		{"old", Rule{MaxAge: time.Minute}, event(time.Hour, "1"), 0, TooOld},
		{"any age", Rule{}, event(time.Hour, "1"), 1, ""},
		{"several", Rule{}, event(0, "1", "2"), 0, SeveralSensors},
		{"each", Rule{Sensors: each}, event(0, "1", "2"), 2, ""},
		{"too many", Rule{Sensors: each}, event(0, "1", "2", "3"), 0, TooManySensors},
		{"of unknown time", Rule{MaxAge: time.Minute}, timeless, 0, TimeUnknown},
		{"of unknown time, of any known age", Rule{}, timeless, 0, TimeUnknown},
		{"of unknown time, of any age", Rule{MaxAge: AnyAge}, timeless, 1, ""},
		{"old, of any age", Rule{MaxAge: AnyAge}, event(time.Hour, "1"), 1, ""},
	}
	for _, tt := range tests {
		got, why := tt.rule.endpoints(tt.event)
		if len(got) != tt.sensors || why != tt.want {
			t.Errorf("%s: sensors %v, refused %q; want %d and %q", tt.name, got, why, tt.sensors, tt.want)
		}
	}
}
