package service

import (
	"fmt"
	"strings"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/guard"
)

// guardHealth checks the guards file, and names what people, or a breaker, switched
// off.
func (s *Service) guardHealth() []health.Check {
	guards := health.Good("guards", "")
	if problem := s.guardsProblem.Load(); problem != nil {
		guards = health.Bad("guards", health.Degraded, "mend the file: pipeline config check names each mistake",
			"the newest guards file has mistakes and the guards from before are in force: "+(*problem).Error())
	}
	stop, dry := health.Good("stop", ""), health.Good("dry_run", "")
	seen, err := s.guard.Seen()
	switch {
	case err != nil:
		stop = health.Bad("stop", health.Failed, "see what the check of the bus says", "nothing new starts: %v", err)
		dry = health.Bad("dry_run", health.Unknown, "see what the check of the bus says", "the switch was not read lately")
	default:
		if sw := seen.Stop; sw != nil {
			stop = switchedOff("stop", sw, "everything is stopped", "pipeline resume, when it may go on")
		}
		if sw := seen.DryRun; sw != nil {
			dry = switchedOff("dry_run", sw, "steps are recorded and not done", "pipeline dry-run off, when it may act")
		}
		stop = partly(stop, seen.Stops, "is stopped", "pipeline resume, with --server or --tenant, when it may go on")
		dry = partly(dry, seen.DryRuns, "has its steps recorded and not done", "pipeline dry-run off, with --server or --tenant, when it may act")
	}
	if s.guard.Policy().DryRun {
		dry = health.Bad("dry_run", health.Degraded, "remove dry_run from the guards file or from pipeline.yaml", "steps are recorded and not done: dry_run is set in a file")
	}
	return []health.Check{guards, stop, dry, s.silencesHealth(), s.breakerHealth()}
}

// silencesShown is how many silences a check names.
const silencesShown = 5

// silencesHealth names the silences in force. They are meant, so the check is ok.
func (s *Service) silencesHealth() health.Check {
	const name = "silences"
	seen, err := s.guard.Seen()
	all := seen.Silences
	switch {
	case err != nil:
		return health.Bad(name, health.Unknown, "see what the check of the bus says", "the silences were not read lately")
	case len(all) == 0:
		return health.Good(name, "")
	}
	text := []string{}
	for _, one := range all[:min(len(all), silencesShown)] {
		text = append(text, silenceText(one))
	}
	if more := len(all) - len(text); more > 0 {
		text = append(text, fmt.Sprintf("and %d more", more))
	}
	check := health.Good(name, fmt.Sprintf("%d in force: %s", len(all), strings.Join(text, "; ")))
	check.Cure = "pipeline silence list, and pipeline silence remove ID to end one"
	return check
}

// silenceText says what a silence is of, by whom, until when and why.
func silenceText(s guard.Silence) string {
	var of []string
	for _, part := range []struct{ name, value string }{{"rule", s.Rule}, {"sensor", string(s.Sensor)}, {"server", s.Server}, {"tenant", s.Tenant}, {"action", s.Action}} {
		if part.value != "" {
			of = append(of, part.name+" "+part.value)
		}
	}
	return fmt.Sprintf("%s by %s until %s: %s", strings.Join(of, ", "), s.Author, s.Expires.UTC().Format(time.RFC3339), s.Comment)
}

// partly adds to a check what is switched off for single servers and tenants.
func partly(c health.Check, parts []guard.Switch, what, cure string) health.Check {
	for i := range parts {
		of := switchedOff(c.Name, &parts[i], parts[i].Area.String()+" "+what, cure)
		if c.State != health.OK {
			of.Evidence, of.Cure, of.Since = c.Evidence+"; "+of.Evidence, c.Cure, c.Since
		}
		c = of
	}
	return c
}

// switchedOff is the check of what a person switched off.
func switchedOff(name string, sw *guard.Switch, what, cure string) health.Check {
	text := what + " by " + sw.By
	if sw.Why != "" {
		text += ": " + sw.Why
	}
	c := health.Bad(name, health.Degraded, cure, text)
	c.Since = sw.At
	return c
}
