package web

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
)

// Submission is a job that a person asks for.
type Submission struct {
	Sensor   looseid.ID     `json:"sensor"`
	Steps    []actions.Step `json:"steps"`
	Priority jobs.Priority  `json:"priority,omitempty"`
	Deadline time.Time      `json:"deadline,omitzero"`
	DryRun   bool           `json:"dry_run,omitempty"`
}

// Check gives everything that is wrong with a submission and can be told
// without the EDR server: the service refuses it for the same reasons.
func (s *Submission) Check(now time.Time) error {
	var wrong []error
	if s.Sensor == "" {
		wrong = append(wrong, errors.New("sensor: the id of the sensor is missing"))
	}
	known := []jobs.Priority{"", jobs.Critical, jobs.High, jobs.Normal, jobs.Low}
	if !slices.Contains(known, s.Priority) {
		wrong = append(wrong, fmt.Errorf("priority %q is none of critical, high, normal, low", s.Priority))
	}
	if !s.Deadline.IsZero() && s.Deadline.Before(now) {
		wrong = append(wrong, fmt.Errorf("the deadline %s has passed", s.Deadline.Format(time.RFC3339)))
	}
	if len(s.Steps) == 0 {
		wrong = append(wrong, errors.New("steps: there are none"))
	}
	actions.Number(s.Steps)
	for _, p := range actions.Compile(s.Steps, actions.Site{}) {
		if !p.Warning {
			wrong = append(wrong, errors.New("steps"+p.String()))
		}
	}
	return errors.Join(wrong...)
}
