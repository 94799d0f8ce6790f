package rules

import (
	"time"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// AnyAge is the Rule.MaxAge of rules that act on events of any age, and on those whose
// time is not known.
const AnyAge time.Duration = -1

// maxAge is a duration, or any.
type maxAge time.Duration

// DecodeYAML implements strictyaml.Custom.
func (m *maxAge) DecodeYAML(d *strictyaml.Decoder, n *yaml.Node, path strictyaml.Path) {
	if n.Kind == yaml.ScalarNode && n.Value == "any" {
		*m = maxAge(AnyAge)
		return
	}
	var age time.Duration
	d.Value(n, path, &age)
	*m = maxAge(age)
}

// tooOld is why an event is too old for the rule to act, or may be; "" when it is not.
func (r *Rule) tooOld(at time.Time, age time.Duration) string {
	switch {
	case r.MaxAge == AnyAge:
		return ""
	case at.IsZero():
		return TimeUnknown
	case r.MaxAge > 0 && age > r.MaxAge:
		return TooOld
	}
	return ""
}
