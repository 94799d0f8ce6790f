package expression_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// TestLimitsOfExpressions: what may cost too much is refused when it is compiled, what
// stays just below is not.
func TestLimitsOfExpressions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ source, want string }{
		"a long source":          {`process.name == "` + strings.Repeat("a", expression.MaxSource) + `"`, "KiB, the limit is 64"},
		"not quite as long":      {`process.command_line == "` + strings.Repeat("a", expression.MaxSource-100) + `"`, ""},
		"white space":            {" \n\t", "the expression is empty"},
		"many parts":             {"process.pid in [" + strings.Repeat("1,", 10_000) + "1]", "more than 10000 parts"},
		"not as many":            {"process.pid in [" + strings.Repeat("1,", 900) + "1]", ""},
		"a range":                {"process.pid in 1..10001", ""},
		"a longer range":         {"process.pid in 1..10002", "at most 10000 apart"},
		"a range of the event":   {"process.pid in 1..net.remote_port", "constant ends"},
		"texts":                  {`len(join(map(1..300, process.command_line), "")) > 5`, ""},
		"many texts":             {`len(join(map(1..1100, process.command_line), "")) > 5`, "more than 1000 times as long"},
		"loops":                  {`any(sensor.groups, any(["a", "b"], # == "a"))`, ""},
		"loops in loops":         {`any(sensor.groups, any(sensor.ids, # == "5"))`, "inside another one"},
		"steps":                  {`any(1..10000, any(1..10000, # == process.pid))`, "more than 1000000 steps"},
		"whole and other":        {`feed.score in [1, 2.5]`, ""},
		"fractions of a whole":   {`process.pid in [1, 2.5]`, ""},
		"a text among numbers":   {`feed.score in [1, "2"]`, "in this list is text"},
		"a pattern of the event": {`process.name matches process.path`, "constant text"},
		"bytes":                  {`process.name == b"x"`, "cannot be"},
	} {
		_, err := expression.EventScope().Lenient().Condition(tt.source)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestSearchForContradictionsIsBounded: a contradiction behind more combinations than are
// tried counts as a condition that can be true.
func TestSearchForContradictionsIsBounded(t *testing.T) {
	t.Parallel()
	condition := func(pairs int) string {
		var parts []string
		for i := range pairs {
			parts = append(parts, fmt.Sprintf(`(icontains(process.command_line, "a%d") || icontains(process.command_line, "b%d"))`, i, i))
		}
		return strings.Join(parts, " && ") + " && (process.pid == 1 || process.pid == 2) && (process.pid == 3 || process.pid == 4)"
	}
	if _, err := expression.EventScope().Condition(condition(3)); err == nil {
		t.Error("a contradiction within the bound is not found")
	}
	begun := time.Now()
	if _, err := expression.EventScope().Condition(condition(16)); err != nil {
		t.Errorf("beyond the bound after %v: %v", time.Since(begun), err)
	}
}

// TestFieldsRead: the fields of the event that an expression reads, and whether it copes
// with events that do not carry them.
func TestFieldsRead(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`process.name == "x"`:                                "process.name",
		`process.name == "x" or process.pid == 1`:            "process.name? process.pid?",
		`process.name == "x" and process.pid == 1`:           "process.name process.pid",
		`process.name == "x" and process.name != ""`:         "process.name? process.name?",
		`process.pid != 0 and process.pid > 5`:               "process.pid? process.pid?",
		`process.pid != 1 and process.pid > 5`:               "process.pid process.pid",
		`"" == process.name and process.pid == 1`:            "process.name? process.pid",
		`has(process.md5) and process.md5 == process.user`:   "process.md5? process.md5? process.user",
		`(process.md5 ?? "") == "x"`:                         "process.md5?",
		`process.already_running ? process.pid == 1 : false`: "process.already_running? process.pid?",
		`any(sensor.groups, # == process.parent.name)`:       "sensor.groups process.parent.name",
		`let n = lower(process.name); n == "x"`:              "process.name",
		`raw.a.b == 1`:                                       "raw",
		`ioc.attrs.x == 1 and event.time.Hour() == 3`:        "ioc.attrs event.time",
		`process["name"] == "x"`:                             "process.name",
		`1 == 1`:                                             "",
	} {
		p, err := expression.EventScope().Lenient().Condition(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var got []string
		for _, f := range p.Fields() {
			text := f.Path
			if f.Aware {
				text += "?"
			}
			got = append(got, text)
			if written := source[f.Offset : f.Offset+f.Length]; !strings.HasPrefix(written, strings.SplitN(f.Path, ".", 2)[0]) {
				t.Errorf("%s: %s stands at %q", source, f.Path, written)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s reads %q, want %q", source, text, want)
		}
	}
}

// filesWithoutHash are events of one kind, without some fields.
type filesWithoutHash struct{}

func (filesWithoutHash) Lacks(path string) (message, hint string, lacks bool) {
	return path + " is not there", "use another", path == "process.md5"
}

func (filesWithoutHash) Words(path string) []string {
	if path == "event.kind" {
		return []string{"file", "file_write"}
	}
	return nil
}

// TestFieldsThatNoEventCarries: reading one is a mistake, and so is a word that the events
// do not have; also where the same source was compiled for all events before.
func TestFieldsThatNoEventCarries(t *testing.T) {
	t.Parallel()
	var memo expression.Memo
	scope := expression.EventScope().Remembering(&memo).With("vars", "", expression.ObjectOf())
	for source, want := range map[string]string{
		`process.md5 == ""`:             "process.md5 is not there (use another)",
		`process.name == ""`:            "",
		`event.kind == "file"`:          "",
		`event.kind == "process_start"`: "is never equal to this text",
		`event.kind contains "process"`: "never contains this text",
		`event.kind endsWith "write"`:   "",
	} {
		if _, err := scope.Condition(source); err != nil {
			t.Errorf("%s of any event: %v", source, err)
		}
		_, err := scope.On(filesWithoutHash{}).Condition(source)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}

// TestFactsOfPrograms: a program that reads the endpoint whole, or by a name that the event
// decides, reads all facts.
func TestFactsOfPrograms(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]events.Facts{
		"process.name":               0,
		"sensor.hostname":            0,
		"sensor.type":                events.FactType,
		`sensor["os"]`:               events.FactOS,
		"[sensor.os, sensor.type]":   events.FactOS | events.FactType,
		"sensor":                     events.AllFacts,
		"let s = sensor; s.hostname": events.AllFacts,
	} {
		p, err := expression.EventScope().Value(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
		} else if p.Facts() != want {
			t.Errorf("%s reads %s, want %s", source, p.Facts(), want)
		}
	}
}

// TestScopesHideNames: a name that is declared again has its last type and is listed once.
func TestScopesHideNames(t *testing.T) {
	t.Parallel()
	outer := expression.EventScope().With("item", "old", expression.TextType).With("process", "", expression.IntType)
	inner := outer.With("item", "new", expression.IntType)
	count := map[string]int{}
	for _, f := range inner.Names() {
		count[f.Name]++
		if f.Name == "item" && (f.Doc != "new" || f.Type != expression.IntType) {
			t.Errorf("item is %q, %s", f.Doc, f.Type)
		}
	}
	if count["item"] != 1 || count["process"] != 1 || count["sensor"] != 1 {
		t.Errorf("names are listed %v times", count)
	}
	for source, ok := range map[string]bool{"item == 5": true, `item == "x"`: false, "process > 3": true, `process.name == "x"`: false} {
		if _, err := inner.Condition(source); (err == nil) != ok {
			t.Errorf("%s: %v", source, err)
		}
	}
	if _, err := outer.Condition(`item == "x"`); err != nil {
		t.Errorf("the outer scope changed: %v", err)
	}
}
