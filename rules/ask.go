package rules

import (
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// Supposing is the match of a rule of which it cannot be told yet whether it matches,
// as it will be if it does.
func (s *Set) Supposing(u Unclear) (Match, error) {
	r, ok := s.Rule(u.Rule.ID)
	if !ok {
		return Match{Rule: u.Rule, Event: u.Event}, nil
	}
	m, err := r.match(u.Event)
	if err != nil {
		return m, failure(r, u.Event, err)
	}
	return m, nil
}

// Ask evaluates one rule on an event that it was asked about before. Neither a match
// nor unclear: it does not match. A rule that is not in the set does not either.
func (s *Set) Ask(rule string, e *events.Event) (m *Match, unclear *Unclear, err error) {
	r, ok := s.Rule(rule)
	if !ok {
		return nil, nil, nil
	}
	truth, missing, err := r.holds(e)
	switch {
	case err != nil:
		return nil, nil, failure(r, e, err)
	case truth == expression.Unknown:
		return nil, &Unclear{r.Rule, e, missing}, nil
	case truth == expression.False:
		return nil, nil, nil
	}
	found, err := r.match(e)
	if err != nil {
		return nil, nil, failure(r, e, err)
	}
	return &found, nil, nil
}
