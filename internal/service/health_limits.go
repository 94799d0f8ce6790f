package service

import (
	"fmt"
	"strings"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/intake"
	"edrpipe/internal/printable"
)

const (
	limitsSince = 15 * time.Minute // how long an endpoint that was at a bound is shown
	limitsNamed = 5
	nearlyFull  = 0.9
)

// limitsHealth names the endpoints and rules that were at a bound lately.
func (s *Service) limitsHealth() health.Check {
	since := s.clock.Now().Add(-limitsSince)
	ledger, l := s.records.Shares, s.cfg.Limits
	var all []string
	for _, c := range ledger.Crowded(since) {
		all = append(all, c.Error()+": new keys count together")
	}
	for _, r := range s.intake.Reached(since) {
		text := fmt.Sprintf("endpoint %s had more than %d events in a second (limits.endpoint_events)", r.Endpoint, l.Events)
		if r.Reason == intake.EndpointJobs {
			text = fmt.Sprintf("events of endpoint %s have made %d jobs in an hour (limits.endpoint_jobs)", r.Endpoint, l.Jobs)
		}
		all = append(all, text)
	}
	used := fmt.Sprintf("%d of %d records of suppression and correlation", ledger.Records(), l.Records)
	if float64(ledger.Records()) >= nearlyFull*float64(l.Records) {
		all = append(all, "there are "+used)
	}
	if len(all) == 0 {
		return health.Good("limits", used)
	}
	if more := len(all) - limitsNamed; more > 0 {
		all = append(all[:limitsNamed], fmt.Sprintf("and %d more", more))
	}
	return health.Bad("limits", health.Degraded, "see what the endpoint does: pipeline why HOST; is it wanted, raise the limit that is named",
		"%s", printable.Line(strings.Join(all, "; ")))
}
