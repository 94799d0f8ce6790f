package rules

import (
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// CorrelatedType is what a correlation gives its chain.
var CorrelatedType = expression.ObjectOf(
	expression.Field{Name: "count", Doc: "events, or different values, that were counted", Type: expression.IntType},
	expression.Field{Name: "values", Doc: "the different values (value_count), as text", Type: expression.ListOf(expression.TextType)},
	expression.Field{Name: "sensors", Doc: "ids of the sensors concerned", Type: expression.ListOf(expression.TextType)},
	expression.Field{Name: "first", Doc: "time of the first event", Type: expression.TimeType},
	expression.Field{Name: "last", Doc: "time of the last event", Type: expression.TimeType},
)

func (c *compiler) correlate(r *Compiled) {
	k := r.Correlate
	if k == nil {
		return
	}
	path := c.p.path.Key("correlate")
	for i, key := range k.GroupBy {
		r.GroupBy = append(r.GroupBy, c.oneValue(path.Key("group_by").Index(i), key, c.event))
	}
	if k.Field != "" {
		r.Field = c.oneValue(path.Key("field"), k.Field, c.event)
	}
	if c.p.doc.Has(path.Key("timespan")) && k.Timespan <= 0 {
		c.at(path.Key("timespan"), "the timespan must be longer than 0", "")
	}
	c.correlateKeys(k, path)
}

// oneValue compiles a key, which counts or tells apart events by its value.
func (c *compiler) oneValue(path strictyaml.Path, source string, scope *expression.Scope) *expression.Program {
	program, err := scope.Value(source)
	c.expression(path, err)
	if err == nil {
		switch t := program.Type(); t.Kind {
		case expression.Object, expression.Map:
			c.at(path, fmt.Sprintf("%s has many values, and a key is one", strings.TrimSpace(source)), "name one of its fields, as in sensor.id")
		}
	}
	return program
}

// correlateKeys checks that a correlation has what its type needs and nothing
// else.
func (c *compiler) correlateKeys(k *Correlate, path strictyaml.Path) {
	counts := k.Type == "event_count" || k.Type == "value_count"
	temporal := k.Type == "temporal" || k.Type == "temporal_ordered"
	needs := func(key string, wanted bool) {
		has := c.p.doc.Has(path.Key(key))
		switch {
		case wanted && !has:
			c.at(path, fmt.Sprintf("a correlation of type %s needs %q", k.Type, key), "")
		case !wanted && has && (counts || temporal):
			c.report(c.p.doc.AtKey(path.Key(key), fmt.Sprintf("a correlation of type %s has no %q", k.Type, key)), "remove it")
		}
	}
	needs("field", k.Type == "value_count")
	needs("gte", counts)
	needs("rules", temporal)
	if temporal && len(k.Rules) == 1 {
		c.at(path.Key("rules"), "a correlation needs at least two rules", "")
	}
	for i, id := range k.Rules {
		if k.Type == Temporal && slices.Contains(k.Rules[:i], id) {
			c.at(path.Key("rules").Index(i), fmt.Sprintf("the rule %q is named twice, and one match of it is enough", id), "type temporal_ordered repeats a rule; event_count counts matches")
		}
	}
}
