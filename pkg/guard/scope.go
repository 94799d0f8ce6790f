package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// Scope limits a guard to some servers or tenants; empty: it holds over all.
type Scope struct {
	Servers []string `yaml:"servers" list:"one"` // configured names
	Tenants []string `yaml:"tenants" list:"one"` // labels of servers
}

// applies reports whether a guard with this scope and condition is about the step. Where
// it hangs on facts that are not known, missing are those.
func (g *Guard) applies(ctx context.Context, s Scope, match *expression.Program, a admission.Request) (expression.Truth, events.Facts, error) {
	if len(s.Servers) > 0 && !slices.Contains(s.Servers, a.Endpoint.Server) {
		return expression.False, 0, nil
	}
	unclear := events.Facts(0)
	if len(s.Tenants) > 0 {
		f := g.factsOf(ctx, a)
		switch unknown := f.Unknown()&events.FactTenant != 0; {
		case unknown:
			unclear = events.FactTenant
		case !slices.Contains(s.Tenants, f.Tenant):
			return expression.False, 0, nil
		}
	}
	truth, missing := expression.True, events.Facts(0)
	if match != nil {
		var err error
		if truth, missing, err = g.holds(ctx, match, a); err != nil {
			return truth, 0, err
		}
	}
	if truth == expression.True && unclear != 0 {
		truth = expression.Unknown
	}
	if truth == expression.Unknown {
		missing |= unclear
	}
	return truth, missing, nil
}

// words tells the scope for people.
func (s Scope) words() string {
	text := ""
	if len(s.Servers) > 0 {
		text += " on " + strings.Join(s.Servers, ", ")
	}
	if len(s.Tenants) > 0 {
		text += " of tenant " + strings.Join(s.Tenants, ", ")
	}
	return text
}

// scope reports empty names.
func (c *checker) scope(at strictyaml.Path, s Scope) {
	for key, list := range map[string][]string{"servers": s.Servers, "tenants": s.Tenants} {
		for i, name := range list {
			if strings.TrimSpace(name) == "" {
				c.add(c.doc.At(at.Key(key).Index(i), "the name is empty"), "")
			}
		}
	}
}

// misjudged is the verdict where a guard's condition could not be evaluated.
func misjudged(name string, err error) admission.Verdict {
	return admission.Verdict{Decision: admission.Deny, Reason: Undecided, Guard: name, Detail: fmt.Sprint(err)}
}
