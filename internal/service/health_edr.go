package service

import "edrpipe/internal/health"

// edrHealth checks each EDR server, and whether events name others.
func (s *Service) edrHealth() []health.Check {
	var all []health.Check
	for _, m := range s.fleet.Members() {
		all = append(all, m.Check())
	}
	if text := s.fleet.OthersText(); text != "" {
		all = append(all, health.Bad("other_server", health.Degraded, "add the name to accept of the server that it is of, in pipeline.yaml", text))
	}
	return all
}
