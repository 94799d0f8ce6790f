package service

import "edrpipe/internal/health"

// edrHealth checks each EDR server, and whether events name others.
func (s *Service) edrHealth() []health.Check {
	var all []health.Check
	for _, m := range s.fleet.Members() {
		all = append(all, m.Check())
	}
	all = append(all, s.fleet.FormerChecks()...)
	if text := s.fleet.OthersText(); text != "" {
		all = append(all, health.Bad("other_server", health.Degraded, "add the name to accept of the server that it is of, or bind the source to a server of the events' product, in pipeline.yaml", text))
	}
	return all
}
