package guard

import (
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// Reads lists the facts of endpoints that each guard's condition reads, by the guard's
// name.
func (p *Policy) Reads() map[string]events.Facts {
	reads := map[string]events.Facts{}
	add := func(name string, condition *expression.Program) {
		if condition != nil && condition.Facts() != 0 {
			reads[name] |= condition.Facts()
		}
	}
	for _, g := range p.Protected {
		add(g.Name, g.match)
	}
	for _, g := range p.Approvals {
		add(g.Name, g.match)
	}
	for _, g := range p.Budgets {
		add(g.Name, g.match)
	}
	for _, g := range p.Hours {
		add(g.Name, g.match)
	}
	return reads
}
