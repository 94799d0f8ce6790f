package propose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/rules"
	"edrpipe/rules/format"
)

// Options of a proposal.
type Options struct {
	ID     string // of the rule; empty: from the kind of event and what it names
	Action string // that its one step uses; empty: publish
}

// Proposal is a rule file with one rule and its test.
type Proposal struct {
	ID   string
	Text []byte
}

// The file as it is written. Reading has types of its own, which are stricter.
type (
	file struct {
		Rules []rule `yaml:"rules"`
	}
	rule struct {
		ID       string          `yaml:"id"`
		Title    string          `yaml:"title"`
		Severity string          `yaml:"severity"`
		Mode     string          `yaml:"mode"`
		On       string          `yaml:"on"`
		When     string          `yaml:"when"`
		Sensors  map[string]bool `yaml:"sensors,omitempty"`
		Steps    []step          `yaml:"steps"`
		Tests    []test          `yaml:"tests"`
	}
	step struct {
		Uses string         `yaml:"uses"`
		With map[string]any `yaml:"with,omitempty"`
	}
	test struct {
		Name     string              `yaml:"name"`
		Endpoint map[string]any      `yaml:"endpoint,omitempty"`
		Events   []any               `yaml:"events"`
		Expect   []map[string]string `yaml:"expect"`
	}
)

// From proposes a rule that acts on events like e. What is returned loads, and its test
// passes. The error says what of the event, or of the action, stands in the way.
func From(ctx context.Context, e *events.Event, o Options) (Proposal, error) {
	all := condition(e)
	if len(all) == 0 {
		return Proposal{}, fmt.Errorf("event %s of type %s: it carries nothing that the next one like it has too: write the condition by hand, with the fields of `pipeline rules docs fields`", e.Event.ID, e.Event.Type)
	}
	if len(e.Sensor.IDs) == 0 && e.Sensor.ID == "" {
		return Proposal{}, fmt.Errorf("event %s of type %s names no endpoint: there is nothing that a rule could act on", e.Event.ID, e.Event.Type)
	}
	steps, err := chain(e, o.Action)
	if err != nil {
		return Proposal{}, err
	}
	event, endpoint, err := rules.WrittenEvent(e)
	if err != nil {
		return Proposal{}, err
	}
	delete(event, "age") // how late it came is no part of what happened
	withoutMisfits(event)
	r := rule{
		ID: o.ID, Title: "Proposed from an event, say here what the rule does", Severity: "medium", Mode: "shadow",
		On: e.Event.Kind, When: strings.Join(all, "\n&& "), Steps: steps,
		Tests: []test{{
			Name: "the event that it was made from", Endpoint: endpoint, Events: []any{event},
			Expect: expected(steps, max(1, len(e.Sensor.IDs))),
		}},
	}
	if r.ID == "" {
		r.ID = idOf(e)
	}
	if len(e.Sensor.IDs) > 1 {
		r.Sensors = map[string]bool{"each": true}
	}
	text, err := written(r)
	if err != nil {
		return Proposal{}, err
	}
	return Proposal{ID: r.ID, Text: text}, verify(ctx, r.ID, text)
}

// withoutMisfits removes what a test may not state of an event, such as a name that is
// none: no part of the condition names it either. Who and when is not looked at.
func withoutMisfits(event map[string]any) {
	for _, m := range expression.EventType.Misfits(event) {
		if m.Key || len(m.Path) != 2 || m.Path[0] == "sensor" || m.Path[0] == "event" {
			continue
		}
		if part, ok := event[m.Path[0]].(map[string]any); ok {
			delete(part, m.Path[1])
		}
	}
}

func expected(steps []step, jobs int) []map[string]string {
	var all []map[string]string
	for range jobs {
		for _, s := range steps {
			all = append(all, map[string]string{"run": s.Uses})
		}
	}
	return all
}

// written is the rule as `rules fmt` writes it.
func written(r rule) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(file{Rules: []rule{r}}); err != nil {
		return nil, fmt.Errorf("write the rule %s: %w", r.ID, err)
	}
	text := bytes.Replace(b.Bytes(), []byte("\n    \"on\": "), []byte("\n    on: "), 1) // as people write it
	return format.Source(r.ID+".yaml", text)
}

// verify loads the text and runs its test: what is proposed does what it says.
func verify(ctx context.Context, id string, text []byte) error {
	set, err := rules.LoadText(id+".yaml", text)
	if err != nil {
		return fmt.Errorf("the rule that was proposed has mistakes, write it by hand: %w", err)
	}
	for _, t := range set.Source().Tests {
		if result := t.Run(ctx, set); !result.Passed() {
			var why []error
			for _, f := range result.Failures {
				why = append(why, errors.New(f))
			}
			return fmt.Errorf("the rule that was proposed would not act on its event: %w", errors.Join(append(why, result.Problems.Err())...))
		}
	}
	return nil
}

var notInID = regexp.MustCompile(`[^a-z0-9]+`)

const maxID = 60

// idOf is the kind with what the event names, as ids are written.
func idOf(e *events.Event) string {
	words := []string{e.Event.Kind}
	for _, name := range []string{e.Watchlist.Name, e.Feed.Name, e.Process.Parent.Name, e.Process.Name, e.Child.Name, e.Module.Name, e.Target.Name} {
		if id := notInID.ReplaceAllString(strings.ToLower(name), "-"); strings.Trim(id, "-") != "" && len(words) < 3 {
			words = append(words, id)
		}
	}
	id := notInID.ReplaceAllString(strings.Join(words, "-"), "-")
	return strings.Trim(id[:min(len(id), maxID)], "-")
}

// Actions are those that a rule can be proposed with.
func Actions() []string {
	var names []string
	for name := range fills {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
