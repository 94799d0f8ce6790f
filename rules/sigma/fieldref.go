package sigma

import "gopkg.in/yaml.v3"

// otherField is a comparison of a field with another one of the same event.
func (m *mapping) otherField(c *comparison, values []*yaml.Node) (string, error) {
	call, ok := map[string]string{"": "ieq", "contains": "icontains", "startswith": "istartswith", "endswith": "iendswith"}[c.op]
	if !ok || c.cased || len(c.forms) > 0 {
		return "", refuse("%s: |fieldref goes with |contains, |startswith and |endswith only", c.name)
	}
	var parts []string
	for _, v := range values {
		other, known := m.source.fields[v.Value]
		switch {
		case !known:
			return "", refuse("field %s is not in the EDR's %s events", v.Value, m.source.kind)
		case !other.kind.refers() || !c.field.kind.refers() || other.inbound != "" || c.field.inbound != "":
			return "", refuse("%s and %s cannot be compared with each other here", c.name, v.Value)
		}
		// A field that an event lacks equals nothing.
		part := joined("&&", []string{other.path + ` != ""`, call + "(" + c.field.path + ", " + other.path + ")"})
		if c.neq {
			part = negation(part)
		}
		parts = append(parts, part)
	}
	if c.all != c.neq {
		return joined("&&", parts), nil
	}
	return joined("||", parts), nil
}
