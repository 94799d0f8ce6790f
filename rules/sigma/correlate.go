package sigma

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Correlate is a rule's correlation as rules.Load reads it.
type Correlate struct {
	Type     string   `yaml:"type"`
	GroupBy  []string `yaml:"group_by,omitempty,flow"`
	Field    string   `yaml:"field,omitempty"`
	Timespan string   `yaml:"timespan"`
	GTE      int      `yaml:"gte,omitempty"`
	Rules    []string `yaml:"rules,omitempty,flow"`
}

// correlation is the correlation of a Sigma document.
type correlation struct {
	Type      string    `yaml:"type"`
	Rules     []string  `yaml:"rules"`
	GroupBy   []string  `yaml:"group-by"`
	Timespan  string    `yaml:"timespan"`
	Aliases   yaml.Node `yaml:"aliases"`
	Condition yaml.Node `yaml:"condition"`
}

// correlate converts a document that correlates other rules.
func (c *converted) correlate(all []converted) {
	if err := c.correlation(all); err != nil {
		c.rule = nil
		c.refuse(err)
	}
}

func (c *converted) correlation(all []converted) error {
	var of correlation
	if err := c.doc.Correlation.Decode(&of); err != nil {
		return refuse("its correlation is not understood: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	switch {
	case c.doc.Title == "":
		return refuse("it has no title")
	case c.doc.Status == "deprecated" || c.doc.Status == "unsupported":
		return refuse("its authors call it %s", c.doc.Status)
	case !of.Aliases.IsZero():
		return refuse("its correlation gives fields other names (aliases)")
	}
	if err := of.spelled(); err != nil {
		return err
	}
	rules, err := named(all, of.Rules)
	if err != nil {
		return err
	}
	c.rule = c.frame()
	c.rule.Steps[0].With["body"] = map[string]any{"host": "${{ sensor.hostname }}", "count": "${{ correlated.count }}"}
	c.rule.Correlate = &Correlate{Type: of.Type}
	if err := c.rule.span(of.Timespan); err != nil {
		return err
	}
	for _, name := range of.GroupBy {
		path, err := groupField(name, rules)
		if err != nil {
			return err
		}
		c.rule.Correlate.GroupBy = append(c.rule.Correlate.GroupBy, path)
	}
	switch of.Type {
	case "event_count", "value_count":
		return c.rule.counts(&of, rules)
	case "temporal", "temporal_ordered":
		return c.rule.follows(&of, rules)
	}
	return refuse("a correlation of type %q", of.Type)
}

// named are the rules that a correlation refers to, by name, id or
// title.
func named(all []converted, refs []string) ([]*converted, error) {
	if len(refs) == 0 {
		return nil, refuse("its correlation names no rules")
	}
	var rules []*converted
	for _, ref := range refs {
		is := func(c converted) bool { return ref != "" && (c.doc.Name == ref || c.doc.ID == ref) }
		i := slices.IndexFunc(all, is)
		switch {
		case i >= 0 && slices.ContainsFunc(all[i+1:], is):
			return nil, refuse("rule %q of its correlation is there twice", ref)
		case i < 0:
			return nil, refuse("rule %q of its correlation is not among the files", ref)
		case !all[i].doc.Correlation.IsZero():
			return nil, refuse("it correlates %q, which is a correlation itself", ref)
		case all[i].err != nil:
			return nil, refuse("rule %q of its correlation is refused", ref)
		case len(all[i].rule.Steps) > 1:
			return nil, refuse("rule %q of its correlation reads a registry value back, which takes longer than events count", ref)
		}
		rules = append(rules, &all[i])
	}
	return rules, nil
}

var timespan = regexp.MustCompile(`^([1-9][0-9]*)([smhd])$`)

func (r *Rule) span(text string) error {
	m := timespan.FindStringSubmatch(text)
	if m == nil {
		return refuse("the timespan %q of its correlation is not a number of seconds, minutes, hours or days (5m)", text)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n > 10_000 {
		return refuse("the timespan %q of its correlation is too long", text)
	}
	r.Correlate.Timespan = text
	if m[2] == "d" {
		r.Correlate.Timespan = fmt.Sprintf("%dh", 24*n)
	}
	return nil
}

// hosts are Sigma's names for the computer that an event comes from.
var hosts = []string{"Computer", "ComputerName", "computer_name", "Hostname", "hostname", "host", "host.name"}

// groupField is a field of group-by, the same for all the rules.
func groupField(name string, rules []*converted) (string, error) {
	if slices.Contains(hosts, name) {
		return "sensor.id", nil
	}
	path := ""
	for _, c := range rules {
		f, ok := c.source.fields[name]
		switch {
		case !ok:
			return "", refuse("field %s is not in the EDR's %s events", name, c.source.kind)
		case f.inbound != "" || f.kind == hashesField || f.kind == detailsField || path != "" && path != f.path:
			return "", refuse("field %s cannot be what a correlation groups by or counts", name)
		}
		path = f.path
	}
	return path, nil
}

// counts: at least so many events, or values of a field, of any of the rules.
func (r *Rule) counts(of *correlation, rules []*converted) error {
	var cond map[string]string
	if err := of.Condition.Decode(&cond); err != nil {
		return refuse("the condition of its correlation is not a comparison")
	}
	field := cond["field"]
	delete(cond, "field")
	if len(cond) != 1 || (field != "") != (of.Type == "value_count") {
		return refuse("the condition of its correlation is not one comparison, with a field for value_count")
	}
	for op, text := range cond {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || op != "gte" && op != "gt":
			return refuse("a correlation counts with gte or gt and a whole number, not %s: %s", op, text)
		case op == "gt":
			n++
		}
		if r.Correlate.GTE = n; n < 1 {
			return refuse("a correlation that holds for no event at all (%s: %s)", op, text)
		}
	}
	if field != "" {
		path, err := groupField(field, rules)
		if err != nil {
			return err
		}
		r.Correlate.Field = path
	}
	r.anyOf(rules)
	return nil
}

// anyOf makes the rule want what any of the rules wants.
func (r *Rule) anyOf(rules []*converted) {
	var parts []string
	r.Lists = map[string][]string{}
	for _, c := range rules {
		maps.Copy(r.Lists, c.rule.Lists)
		r.Source.Narrower = append(r.Source.Narrower, c.rule.Source.Narrower...)
		part := c.rule.When
		if len(rules) > 1 {
			part = joined("&&", []string{"event.kind == " + quote(c.source.kind), part})
		}
		parts = append(parts, part)
		if !slices.Contains(r.On, c.source.kind) {
			r.On = append(r.On, c.source.kind)
		}
	}
	r.When = joined("||", parts)
}

// spelled takes the condition of a temporal correlation that names its rules, as Sigma
// 2.2 has it: "a and b" says the same as the list of rules. What else it can say (or, not)
// cannot be said here.
func (of *correlation) spelled() error {
	if of.Type != "temporal" && of.Type != "temporal_ordered" || of.Condition.Kind != yaml.ScalarNode {
		return nil
	}
	var names []string
	words := strings.Fields(of.Condition.Value)
	for i, word := range words {
		switch lower := strings.ToLower(word); {
		case i%2 == 1 && lower != "and":
			return refuse("a %s correlation with the condition %q: only names of rules joined by and can be said", of.Type, of.Condition.Value)
		case i%2 == 0 && (lower == "and" || lower == "or" || lower == "not" || strings.ContainsAny(word, "()*")):
			return refuse("a %s correlation with the condition %q: only names of rules joined by and can be said", of.Type, of.Condition.Value)
		case i%2 == 0:
			names = append(names, word)
		}
	}
	if len(words)%2 == 0 {
		return refuse("the condition %q of its correlation ends too early", of.Condition.Value)
	}
	if len(of.Rules) > 0 && !sameNames(of.Type, of.Rules, names) {
		return refuse("its correlation lists other rules, or another order, than its condition %q", of.Condition.Value)
	}
	of.Rules, of.Condition = names, yaml.Node{}
	return nil
}

// sameNames reports whether the list and the condition name the same rules, each once;
// where order counts also in the same order.
func sameNames(of string, list, names []string) bool {
	list, names = slices.Clone(list), slices.Clone(names)
	if of == "temporal" {
		slices.Sort(list)
		slices.Sort(names)
	}
	return slices.Equal(list, names)
}

// follows: matches of all the rules.
func (r *Rule) follows(of *correlation, rules []*converted) error {
	if !of.Condition.IsZero() {
		return refuse("a %s correlation with a condition of its own", of.Type)
	}
	if len(rules) < 2 {
		return refuse("a %s correlation of one rule", of.Type)
	}
	for _, c := range rules {
		r.Correlate.Rules = append(r.Correlate.Rules, c.rule.ID)
	}
	r.anyOf(rules)
	return nil
}
