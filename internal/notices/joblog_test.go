package notices

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// TestTheLogTellsOfJobs holds what people find at three in the morning: the end of
// each job with its job, rule, sensor and host, and what waits for them.
func TestTheLogTellsOfJobs(t *testing.T) {
	t.Parallel()
	job := func(state jobs.State, change func(*jobs.Job)) *jobs.Job {
		j := &jobs.Job{ID: "j1", Rule: "r1", Endpoint: edr.Endpoint{Server: "hq", ID: "7"}, Host: "WS-ONE", State: state}
		if change != nil {
			change(j)
		}
		return j
	}
	undoing := &jobs.Job{ID: "j1", Of: "j0", Endpoint: edr.Endpoint{Server: "hq", ID: "7"}, State: jobs.Expired, Steps: []actions.Step{{ID: "undo"}}}
	for name, tc := range map[string]struct {
		report jobs.Report
		want   []string // all in the one line; none: no line at level info
	}{
		"the end": {
			jobs.Report{Job: job(jobs.Succeeded, nil), Final: true},
			[]string{`"level":"info"`, `"job":"j1"`, `"rule":"r1"`, `"endpoint":"hq/7"`, `"host":"WS-ONE"`, `"state":"succeeded"`, "job ended"},
		},
		"a failure": {
			jobs.Report{Job: job(jobs.Failed, func(j *jobs.Job) { j.Reason, j.Detail = jobs.ReasonUnknownSensor, "no sensor 7" }), Final: true},
			[]string{`"level":"warn"`, `"job":"j1"`, `"reason":"` + string(jobs.ReasonUnknownSensor) + `"`, `"detail":"no sensor 7"`},
		},
		"a job of a person": {
			jobs.Report{Job: job(jobs.Succeeded, func(j *jobs.Job) { j.Rule, j.Submitter = "", "ada" }), Final: true},
			[]string{`"by":"ada"`},
		},
		"a wait for people": {
			jobs.Report{Job: job(jobs.Held, nil), Transition: &jobs.Transition{State: jobs.Held, Reason: "approval"}},
			[]string{`"level":"info"`, `"job":"j1"`, "job is held", `"reason":"approval"`},
		},
		"an undo that did not": {
			jobs.Report{Job: undoing, Final: true},
			[]string{`"level":"error"`, `"of":"j0"`, `"endpoint":"hq/7"`},
		},
		"a start": {jobs.Report{Job: job(jobs.Running, nil), Transition: &jobs.Transition{State: jobs.Running}}, nil},
		"a step":  {jobs.Report{Job: job(jobs.Running, nil), Step: &jobs.StepRecord{ID: "s"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			LogReport(zerolog.New(&b).Level(zerolog.InfoLevel), tc.report)
			if got := strings.Count(b.String(), "\n"); got != min(len(tc.want), 1) {
				t.Errorf("%d lines:\n%s", got, b.String())
			}
			for _, w := range tc.want {
				if !strings.Contains(b.String(), w) {
					t.Errorf("the line has no %s:\n%s", w, b.String())
				}
			}
		})
	}
}
