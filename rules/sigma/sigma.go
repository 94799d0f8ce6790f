package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Rule is a rule as rules.Load reads it.
type Rule struct {
	ID             string   `yaml:"id"`
	Title          string   `yaml:"title"`
	Description    string   `yaml:"description,omitempty"`
	Author         string   `yaml:"author,omitempty"`
	References     []string `yaml:"references,omitempty"`
	FalsePositives []string `yaml:"false_positives,omitempty"`
	Severity       string   `yaml:"severity"`
	Tags           []string `yaml:"tags,omitempty"`
	Mode           string   `yaml:"mode"`
	On             []string `yaml:"on,flow"`
	When           string   `yaml:"when"`
	Steps          []Step   `yaml:"steps"`
}

// Step is a step of the chain that a converted rule gets: Sigma has none.
type Step struct {
	Uses string         `yaml:"uses"`
	With map[string]any `yaml:"with"`
}

// Refusal is why a Sigma rule can not be said in the rule language.
type Refusal struct {
	Title  string // of the rule, where it could be read
	Reason string
}

func (r *Refusal) Error() string {
	if r.Title == "" {
		return r.Reason
	}
	return fmt.Sprintf("%s: %s", r.Title, r.Reason)
}

// refuse is a Refusal without its title, which Convert knows.
func refuse(format string, args ...any) error {
	return &Refusal{Reason: fmt.Sprintf(format, args...)}
}

// document is a Sigma rule.
type document struct {
	Title          string               `yaml:"title"`
	ID             string               `yaml:"id"`
	Status         string               `yaml:"status"`
	Description    string               `yaml:"description"`
	References     []string             `yaml:"references"`
	Author         string               `yaml:"author"`
	Tags           []string             `yaml:"tags"`
	FalsePositives []string             `yaml:"falsepositives"`
	Level          string               `yaml:"level"`
	LogSource      logSource            `yaml:"logsource"`
	Detection      map[string]yaml.Node `yaml:"detection"`
	Correlation    yaml.Node            `yaml:"correlation"`
	Action         string               `yaml:"action"`
}

// Convert converts every rule of a Sigma file. name becomes the rules' id. For
// each document there is one result: a Rule or an error of type *Refusal.
func Convert(name string, data []byte) []Result {
	var results []Result
	in := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc document
		err := in.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return results
		}
		if err != nil { // the rest of the file can not be found
			return append(results, Result{Err: &Refusal{Reason: "not a Sigma rule: " + strings.TrimPrefix(err.Error(), "yaml: ")}})
		}
		id := slug(name)
		if len(results) > 0 {
			id = fmt.Sprintf("%s-%d", id, len(results)+1)
		}
		results = append(results, convert(id, &doc))
	}
}

// Result is what became of one Sigma rule: Rule, or Err.
type Result struct {
	Title string
	Rule  *Rule
	Err   error // *Refusal
}

func convert(id string, doc *document) Result {
	when, src, err := condition(doc)
	if err != nil {
		var r *Refusal
		if errors.As(err, &r) {
			r.Title = doc.Title
		}
		return Result{Title: doc.Title, Err: err}
	}
	r := &Rule{
		ID:             id,
		Title:          doc.Title,
		Description:    strings.TrimSpace(doc.Description),
		Author:         doc.Author,
		References:     doc.References,
		FalsePositives: doc.FalsePositives,
		Severity:       severity(doc.Level),
		Tags:           doc.Tags,
		Mode:           "shadow",
		On:             []string{src.kind},
		When:           when,
		Steps: []Step{{Uses: "publish", With: map[string]any{
			"subject": "sigma." + id,
			"body":    map[string]any{"host": "${{ sensor.hostname }}", "process": "${{ process.guid }}"},
		}}},
	}
	return Result{Title: doc.Title, Rule: r}
}

// condition is the rule's condition, and where its events come from.
func condition(doc *document) (string, *source, error) {
	switch {
	case doc.Title == "":
		return "", nil, refuse("it has no title")
	case doc.Action != "":
		return "", nil, refuse("action: %s joins documents; write them out", doc.Action)
	case !doc.Correlation.IsZero():
		return "", nil, refuse("a correlation of other rules: write it with correlate")
	case doc.Status == "deprecated" || doc.Status == "unsupported":
		return "", nil, refuse("its authors call it %s", doc.Status)
	}
	src, err := sourceOf(doc.LogSource)
	if err != nil {
		return "", nil, err
	}
	d := &detection{source: src, windows: !slices.Contains([]string{"linux", "macos"}, doc.LogSource.Product), items: doc.Detection}
	when, err := d.convert()
	if err != nil {
		return "", nil, err
	}
	parts := append(src.conditions(doc.LogSource), when)
	return joined("&&", parts), src, nil
}

func severity(level string) string {
	switch level {
	case "low", "medium", "high", "critical":
		return level
	case "informational":
		return "info"
	}
	return "medium"
}

// slug makes an id of a file's name.
func slug(name string) string {
	var b strings.Builder
	dash := true // no dash at the start
	for _, r := range strings.ToLower(name) {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			b.WriteRune(r)
			dash = false
		} else if !dash {
			b.WriteByte('-')
			dash = true
		}
	}
	return strings.TrimSuffix(b.String(), "-")
}
