package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/events"
)

// Recording is a job that really ran, to become a test.
type Recording struct {
	Name    string
	Rule    string
	Event   *events.Event
	Raw     bool // keep the original message: only needed where the rule reads raw
	Steps   []RecordedStep
	Outcome string // succeeded, failed, denied; others are left out
}

// RecordedStep is a step that ran.
type RecordedStep struct {
	ID     string
	Args   map[string]any
	Output json.RawMessage
	Error  string
}

// Test is the recording as a *_test.yaml file: the event as it was, what the
// steps gave as mocks, and what they were given as expectations.
func (r Recording) Test() ([]byte, error) {
	event, err := r.event()
	if err != nil {
		return nil, err
	}
	test := recordedTest{Name: r.Name, Rule: r.Rule, Endpoint: r.endpoint(), Events: []any{event}, Expect: []recordedExpect{}}
	mocks := map[string]recordedMock{}
	for _, s := range r.Steps {
		test.Expect = append(test.Expect, recordedExpect{Run: s.ID, With: s.Args})
		mock := recordedMock{Error: s.Error}
		if len(s.Output) > 0 && s.Error == "" {
			d := json.NewDecoder(bytes.NewReader(s.Output))
			d.UseNumber()
			if err := d.Decode(&mock.Output); err != nil {
				mock.Output = nil // of an action whose output has no fields
			}
			mock.Output, _ = eachLeaf(mock.Output, plainNumber).(map[string]any)
		}
		if mock.Output != nil || mock.Error != "" {
			mocks[s.ID] = mock
		}
	}
	test.Mocks = mocks
	switch r.Outcome {
	case outcomeSucceeded, outcomeFailed, outcomeDenied:
		test.Outcome = r.Outcome
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(map[string]any{"tests": []recordedTest{test}}); err != nil {
		return nil, fmt.Errorf("test of job %q: %w", r.Name, err)
	}
	return b.Bytes(), e.Close()
}

// The written form of a test; decoding has types of its own, which are stricter.
type (
	recordedTest struct {
		Name     string                  `yaml:"name"`
		Rule     string                  `yaml:"rule"`
		Endpoint map[string]any          `yaml:"endpoint,omitempty"`
		Events   []any                   `yaml:"events"`
		Mocks    map[string]recordedMock `yaml:"mocks,omitempty"`
		Expect   []recordedExpect        `yaml:"expect"`
		Outcome  string                  `yaml:"outcome,omitempty"`
	}
	recordedMock struct {
		Output map[string]any `yaml:"output,omitempty"`
		Error  string         `yaml:"error,omitempty"`
	}
	recordedExpect struct {
		Run  string         `yaml:"run"`
		With map[string]any `yaml:"with,omitempty"`
	}
)

// WrittenEvent is an event as tests write it, without its message, and what is known of
// its endpoint, which tests state beside it.
func WrittenEvent(e *events.Event) (event, endpoint map[string]any, err error) {
	r := Recording{Name: e.Event.ID, Event: e}
	event, err = r.event()
	return event, r.endpoint(), err
}

// event is the event as a test writes it: its times relative, its text escaped,
// because a test's text may hold templates and an event's must not.
func (r Recording) event() (map[string]any, error) {
	if r.Event == nil {
		return nil, fmt.Errorf("job %q has no event: it was not made by a rule", r.Name)
	}
	own := *r.Event
	own.Sensor.Given = events.AllFacts
	own.Sensor.ForgetGiven()
	data, err := json.Marshal(&own)
	if err != nil {
		return nil, fmt.Errorf("event of job %q: %w", r.Name, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("event of job %q: %w", r.Name, err)
	}
	if !r.Raw {
		delete(m, "raw")
	}
	if meta, ok := m["event"].(map[string]any); ok {
		delete(meta, "time")
		delete(meta, "received")
	}
	if age := r.Event.Event.Received.Sub(r.Event.Event.Time); age > 0 && !r.Event.Event.Time.IsZero() {
		m["age"] = age.Round(time.Millisecond).String()
	}
	return eachLeaf(eachLeaf(m, plainNumber), escapeTemplates).(map[string]any), nil
}

// endpoint is what was known of the endpoint, which a test states beside its event.
func (r Recording) endpoint() map[string]any {
	if r.Event == nil {
		return nil
	}
	s, facts := &r.Event.Sensor, map[string]any{}
	unknown := s.Unknown()
	for _, f := range []struct {
		fact  events.Facts
		name  string
		value any
		empty bool
	}{
		{events.FactOS, "os", s.OS, s.OS == ""},
		{events.FactOSVersion, "os_version", s.OSVersion, s.OSVersion == ""},
		{events.FactGroup, "group", s.Group, s.Group == ""},
		{events.FactType, "type", s.Type, s.Type == ""},
		{events.FactTenant, "tenant", s.Tenant, s.Tenant == ""},
		{events.FactCriticality, "criticality", s.Criticality, false}, // these may be known and empty
		{events.FactTags, "tags", append([]string{}, s.Tags...), false},
		{events.FactLabels, "labels", s.Labels, s.Labels == nil},
	} {
		if unknown&f.fact == 0 && !f.empty {
			facts[f.name] = eachLeaf(f.value, escapeTemplates)
		}
	}
	return facts
}

// eachLeaf replaces what is in the maps and lists of a JSON value.
func eachLeaf(v any, replace func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = eachLeaf(item, replace)
		}
		return v
	case []any:
		for i, item := range v {
			v[i] = eachLeaf(item, replace)
		}
		return v
	}
	return replace(v)
}

func escapeTemplates(leaf any) any {
	if text, ok := leaf.(string); ok {
		return strings.ReplaceAll(text, "${{", "$${{")
	}
	return leaf
}

// plainNumber turns JSON's numbers into Go's, whole ones exactly.
func plainNumber(leaf any) any {
	n, ok := leaf.(json.Number)
	if !ok {
		return leaf
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return n.String()
}
