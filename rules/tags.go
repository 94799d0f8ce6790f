package rules

import (
	"fmt"

	"edrpipe/pkg/strictyaml"
	"edrpipe/rules/attack"
)

// tags warns of tags of ATT&CK that name nothing in it: a rule with one is missing from
// every table of what is covered. They are looked at by who writes rules, not when a
// service loads them.
func (p *parsedRule) tags() strictyaml.Problems {
	var found strictyaml.Problems
	m := attack.Enterprise()
	for i, tag := range p.rule.Tags {
		instead, wrong := m.Wrong(tag)
		if !wrong {
			continue
		}
		problem := p.doc.At(p.path.Key("tags").Index(i), fmt.Sprintf("%s is neither a technique nor a tactic of ATT&CK %s", tag, m.Version))
		problem.Warning = true
		if problem.Hint = didYouMean(tag, m.Tags()); instead != "" {
			problem.Hint = fmt.Sprintf("did you mean %q?", instead)
		}
		found = append(found, problem)
	}
	return found
}
