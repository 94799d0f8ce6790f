package service

import "edrpipe/internal/health"

// edrHealth checks the EDR servers.
func (s *Service) edrHealth() []health.Check {
	if st := s.scheduler.Stats(); st.Refusing != "" {
		return []health.Check{health.Bad("edr", health.Failed, "pipeline doctor tries address, token and rights one by one", "the server refuses sessions: "+st.Refusing)}
	}
	return []health.Check{health.Good("edr", "")}
}
