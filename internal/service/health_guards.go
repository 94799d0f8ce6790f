package service

import (
	"edrpipe/internal/health"
	"edrpipe/pkg/guard"
)

// guardHealth checks the guards file, and names what people, or a breaker, switched
// off.
func (s *Service) guardHealth() []health.Check {
	guards := health.Good("guards", "")
	if problem := s.guardsProblem.Load(); problem != nil {
		guards = health.Bad("guards", health.Degraded, "mend the file: pipeline rules check --guards names each mistake",
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
	}
	if s.guard.Policy().DryRun {
		dry = health.Bad("dry_run", health.Degraded, "remove dry_run from the guards file or from pipeline.yaml", "steps are recorded and not done: dry_run is set in a file")
	}
	return []health.Check{guards, stop, dry, s.breakerHealth()}
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
