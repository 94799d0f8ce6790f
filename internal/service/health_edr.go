package service

import "edrpipe/internal/health"

// edrHealth checks each EDR server, and whether events name others.
func (s *Service) edrHealth() []health.Check {
	var all []health.Check
	for _, m := range s.fleet.Members() {
		c := health.Good("edr/"+m.Name, "")
		if st := m.Scheduler.Stats(); st.Refusing != "" {
			c = health.Bad("edr/"+m.Name, health.Failed, "pipeline doctor tries address, token and rights one by one", "the server refuses sessions: "+st.Refusing)
		}
		all = append(all, c)
	}
	if text := s.fleet.OthersText(); text != "" {
		all = append(all, health.Bad("other_server", health.Degraded, "add the name to accept of the server that it is of, in pipeline.yaml", text))
	}
	return all
}
