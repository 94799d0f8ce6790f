package sigma

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Rule is a rule as rules.Load reads it.
type Rule struct {
	ID             string     `yaml:"id"`
	Title          string     `yaml:"title"`
	Description    string     `yaml:"description,omitempty"`
	Author         string     `yaml:"author,omitempty"`
	References     []string   `yaml:"references,omitempty"`
	FalsePositives []string   `yaml:"false_positives,omitempty"`
	Severity       string     `yaml:"severity"`
	Tags           []string   `yaml:"tags,omitempty"`
	Source         *Origin    `yaml:"source"`
	Mode           string     `yaml:"mode"`
	On             []string   `yaml:"on,flow"`
	When           string     `yaml:"when"`
	Correlate      *Correlate `yaml:"correlate,omitempty"`
	Steps          []Step     `yaml:"steps"`

	// Lists are the values of lists that the condition looks into, by name. Of a
	// placeholder (|expand) they are nil: the values are the operator's.
	Lists map[string][]string `yaml:"-"`
}

// Step is a step of the chain that a converted rule gets: Sigma has none.
type Step struct {
	ID   string         `yaml:"id,omitempty"`
	Uses string         `yaml:"uses"`
	With map[string]any `yaml:"with"`
	If   string         `yaml:"if,omitempty"`
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
	Date           string               `yaml:"date"`
	Modified       string               `yaml:"modified"`
	Name           string               `yaml:"name"`
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

func (c *converted) refuse(err error) {
	r := &Refusal{Reason: err.Error()}
	errors.As(err, &r)
	r.Title = c.doc.Title
	c.err = r
}

// convert converts a document that is no correlation.
func (c *converted) convert() {
	src, err := c.admit()
	if err != nil {
		c.refuse(err)
		return
	}
	d := &detection{
		source: src, windows: !slices.Contains([]string{"linux", "macos"}, c.doc.LogSource.Product), items: c.doc.Detection,
		narrow: c.narrow, lists: lists{rule: c.id},
	}
	whole, err := d.convert()
	if err != nil {
		c.refuse(err)
		return
	}
	when := whole
	if d.reads {
		d.possible = true
		if when, err = d.convert(); err != nil {
			c.refuse(err)
			return
		}
	}
	c.source, c.rule = src, c.frame()
	c.rule.On = []string{src.kind}
	c.rule.When = joined("&&", append(src.conditions(c.doc.LogSource), when))
	c.rule.Lists, c.rule.Source.Narrower = d.lists.values, d.dropped
	if len(d.dropped) > 0 {
		c.rule.Description = strings.TrimSpace(c.rule.Description + "\n\nNarrower than its source, see source.narrower: it matches less.")
	}
	if d.reads {
		c.rule.readBack(whole, src.only == written)
	}
}

// admit returns where the document's events come from.
func (c *converted) admit() (*source, error) {
	switch doc := c.doc; {
	case doc.Title == "":
		return nil, refuse("it has no title")
	case doc.Action != "":
		return nil, refuse("action: %s joins documents; write them out", doc.Action)
	case doc.Status == "deprecated" || doc.Status == "unsupported":
		return nil, refuse("its authors call it %s", doc.Status)
	}
	return sourceOf(c.doc.LogSource)
}

// frame is the rule but for what it looks for: a step that publishes what was
// found, in shadow mode.
func (c *converted) frame() *Rule {
	return &Rule{
		ID:             c.id,
		Title:          c.doc.Title,
		Description:    strings.TrimSpace(c.doc.Description),
		Author:         c.doc.Author,
		References:     c.doc.References,
		FalsePositives: c.doc.FalsePositives,
		Severity:       severity(c.doc.Level),
		Tags:           c.doc.Tags,
		Source:         c.origin(),
		Mode:           "shadow",
		Steps: []Step{{Uses: "publish", With: map[string]any{
			"subject": "sigma." + c.id,
			"body":    map[string]any{"host": "${{ sensor.hostname }}", "process": "${{ process.guid }}"},
		}}},
	}
}

// readBack makes the rule read the registry value that was written before it
// decides with the whole condition: exact for the value as it then is. always says
// that each event of the rule wrote a value.
func (r *Rule) readBack(whole string, always bool) {
	r.Steps[0].If = whole
	read := Step{ID: readBack, Uses: "get_registry_value", With: map[string]any{"key": "${{ reg.path }}"}}
	if !always {
		read.If = written
	}
	r.Steps = append([]Step{read}, r.Steps...)
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
