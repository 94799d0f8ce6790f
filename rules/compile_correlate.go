package rules

import (
	"fmt"

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
		program, err := c.event.Value(key)
		c.expression(path.Key("group_by").Index(i), err)
		r.GroupBy = append(r.GroupBy, program)
	}
	if k.Field != "" {
		program, err := c.event.Value(k.Field)
		c.expression(path.Key("field"), err)
		r.Field = program
	}
	if c.p.doc.Has(path.Key("timespan")) && k.Timespan <= 0 {
		c.at(path.Key("timespan"), "the timespan must be longer than 0", "")
	}
	c.correlateKeys(k, path)
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
}
