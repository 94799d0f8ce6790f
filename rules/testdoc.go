package rules

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/strictyaml"
)

// testFileDocument is one YAML document of a *_test.yaml file.
type testFileDocument struct {
	Tests []testDocument `yaml:"tests,required" doc:"the tests"`
}

// testDocument is a test as its author writes it.
type testDocument struct {
	Name     string                  `yaml:"name,required" doc:"the claim that is tested"`
	Rule     string                  `yaml:"rule" doc:"id of the rule, in a file of its own; beside a rule it is that one"`
	Endpoint *endpointDocument       `yaml:"endpoint" doc:"facts of the endpoint, which events do not carry; one that is left out is unknown"`
	Events   []any                   `yaml:"events,required" doc:"what happens: events in the shape of the typed event (type may stand at the top; an MD5 may be shortened; what decoding derives, such as a name from its path, and the normal forms of texts come by themselves), { repeat: n, every: 1m, event: … } with i counting from 1, { at: 5m, event: … }, { endpoint: …, event: … } for facts of this event's endpoint, or { raw_file: path }"`
	Mocks    map[string]mockDocument `yaml:"mocks" doc:"what steps give, by step id; else their outputs are empty"`
	Expect   []expectDocument        `yaml:"expect" doc:"the steps that must run, in order, and no others"`
	Jobs     *int                    `yaml:"jobs" min:"0" doc:"how many jobs there must be"`
	Outcome  string                  `yaml:"outcome" enum:"succeeded,skipped,failed,denied,held,none" doc:"how the last job must end; skipped: no step had to run; held: a step waits for a person or a fact; none: there is none"`
}

type mockDocument struct {
	Output   map[string]any `yaml:"output" doc:"what the step gives; of a foreach, for each item"`
	Error    string         `yaml:"error" doc:"the step fails with this"`
	Fails    []string       `yaml:"fails" doc:"errors of its first tries, which retry may repeat: timeout, sensor_busy or server_error"`
	Approval string         `yaml:"approval" enum:"granted,denied,timeout,waiting" doc:"what people answer where the step or a guard asks them; by default the rule's own question is granted, a guard's is waiting"`
	Deny     bool           `yaml:"deny" doc:"the same as approval: denied"`
}

// answer is what people say; empty: the mock does not tell.
func (m mockDocument) answer() string {
	if m.Deny {
		return deniedBy
	}
	return m.Approval
}

type expectDocument struct {
	Run    string         `yaml:"run" doc:"action, or id of a step"`
	With   map[string]any `yaml:"with" doc:"parameters to compare; only those named"`
	At     *time.Duration `yaml:"at" doc:"when its job begins, after the first event; of undo, when it is undone"`
	Not    string         `yaml:"not" doc:"action, or id of a step, that must not run"`
	Held   string         `yaml:"held" doc:"action, or id of a step, that must be held for a person"`
	Reason string         `yaml:"reason" doc:"why it must be held: unknown_fact, approval, or the guard's reason"`
	Undo   string         `yaml:"undo" doc:"action, or id of a step, that must be undone after its undo_after"`
}

// endpointDocument is what is known of the endpoint in a test.
type endpointDocument struct {
	OS          string            `yaml:"os" enum:"windows,linux,osx" doc:"operating system"`
	OSVersion   string            `yaml:"os_version" doc:"as the server writes it"`
	Group       string            `yaml:"group" doc:"name of its group"`
	Type        string            `yaml:"type" enum:"workstation,server,domain_controller" doc:"what it is"`
	Criticality *float64          `yaml:"criticality" doc:"how critical it is"`
	Tags        []string          `yaml:"tags" doc:"its tags; an empty list is known to be empty"`
	Labels      map[string]string `yaml:"labels" doc:"its labels"`
	Tenant      string            `yaml:"tenant" doc:"tenant of its server"`
}

// fill gives an event the facts that the test states.
func (d *endpointDocument) fill(s *events.Sensor) {
	if d == nil {
		return
	}
	s.OS, s.OSVersion = cmp.Or(d.OS, s.OS), cmp.Or(d.OSVersion, s.OSVersion)
	s.Type, s.Tenant = cmp.Or(d.Type, s.Type), cmp.Or(d.Tenant, s.Tenant)
	if d.Group != "" {
		s.Group, s.Groups = d.Group, []string{d.Group}
	}
	if d.Criticality != nil {
		s.Criticality, s.Known = *d.Criticality, s.Known|events.FactCriticality
	}
	if d.Tags != nil {
		s.Tags, s.Known = d.Tags, s.Known|events.FactTags
	}
	if d.Labels != nil {
		s.Labels, s.Known = d.Labels, s.Known|events.FactLabels
	}
}

// Test is a test of one rule.
type Test struct {
	Name string
	Rule string // id
	File string
	Line int

	doc     *strictyaml.Document
	path    strictyaml.Path
	written *testDocument
}

// tests are those written beside a rule.
func (p *parsedRule) tests() []*Test {
	var all []*Test
	for i := range p.written.Tests {
		path := p.path.Key("tests").Index(i)
		all = append(all, newTest(p.doc, path, &p.written.Tests[i], p.rule.ID))
	}
	return all
}

func newTest(doc *strictyaml.Document, path strictyaml.Path, written *testDocument, rule string) *Test {
	return &Test{Name: written.Name, Rule: rule, File: doc.Name(), Line: doc.Line(path), doc: doc, path: path, written: written}
}

// LoadTests reads the *_test.yaml files that the paths name (see Load) for the
// rules of the set. The error, if any, is strictyaml.Problems.
func (s *Set) LoadTests(paths ...string) ([]*Test, error) {
	tests, problems := testFiles(paths, s.ids())
	if err := problems.Err(); err != nil {
		return nil, problems.Sort()
	}
	return tests, nil
}

// testFiles reads the test files that the paths name, for rules of these ids. What
// could be read of a file with mistakes is among the tests.
func testFiles(paths, ids []string) (tests []*Test, problems strictyaml.Problems) {
	for _, path := range paths {
		files, err := filesAt(path, isTestFile)
		if err != nil {
			problems = append(problems, strictyaml.Problem{File: path, Message: readReason(err)})
		}
		for _, file := range files {
			if !isTestFile(file) {
				continue // a rule file, named
			}
			found, wrong := testFile(file, ids)
			tests, problems = append(tests, found...), append(problems, wrong...)
		}
	}
	return tests, problems
}

func testFile(name string, ids []string) ([]*Test, strictyaml.Problems) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, strictyaml.Problems{{File: name, Message: readReason(err)}}
	}
	return testText(name, data, ids)
}

// testText reads the text of a test file.
func testText(name string, data []byte, ids []string) ([]*Test, strictyaml.Problems) {
	file, problems := strictyaml.Parse(name, data)
	if len(problems) > 0 {
		return nil, problems
	}
	var tests []*Test
	for _, doc := range file.Documents {
		var written testFileDocument
		problems = append(problems, doc.Decode(&written)...)
		for i := range written.Tests {
			path := strictyaml.Path("tests").Index(i)
			t := newTest(doc, path, &written.Tests[i], written.Tests[i].Rule)
			if !slices.Contains(ids, t.Rule) {
				problem := doc.At(path.Key("rule"), fmt.Sprintf("there is no rule %q", t.Rule))
				problem.Hint = didYouMean(t.Rule, ids)
				problems = append(problems, problem)
			}
			tests = append(tests, t)
		}
	}
	return tests, problems
}

func (s *Set) ids() []string {
	ids := make([]string, len(s.rules))
	for i, r := range s.rules {
		ids[i] = r.ID
	}
	return ids
}
