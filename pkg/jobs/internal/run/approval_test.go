package run

import (
	"maps"
	"testing"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// TestWhatWasGrantedIsOneCall: an answer counts for the step, item, call and people that
// it was given for, and for nothing else.
func TestWhatWasGrantedIsOneCall(t *testing.T) {
	t.Parallel()
	at := edr.Endpoint{Server: "hq", ID: "7"}
	args := map[string]any{"path": `c:\a`}
	granted := job.Question{Step: "a", Item: 1, Digest: job.CallDigest("delete_file", at, args), From: []string{"leads"}, Require: 2, Closed: true, Granted: true}
	x := New(new(Config), nil, nil, &job.Job{Endpoint: at, Approvals: []job.Question{granted}}, nil)
	for name, change := range map[string]func(*actions.Step, *job.StepRecord, *admission.Approval){
		"another step":     func(st *actions.Step, _ *job.StepRecord, _ *admission.Approval) { st.ID = "b" },
		"another item":     func(_ *actions.Step, r *job.StepRecord, _ *admission.Approval) { r.Item = 2 },
		"another argument": func(_ *actions.Step, r *job.StepRecord, _ *admission.Approval) { r.Args["path"] = `c:\b` },
		"another action":   func(_ *actions.Step, r *job.StepRecord, _ *admission.Approval) { r.Uses = "get_file" },
		"other people":     func(_ *actions.Step, _ *job.StepRecord, ask *admission.Approval) { ask.From = []string{"owners"} },
		"more people":      func(_ *actions.Step, _ *job.StepRecord, ask *admission.Approval) { ask.Require = 3 },
		"":                 func(*actions.Step, *job.StepRecord, *admission.Approval) {},
	} {
		st, r, ask := actions.Step{ID: "a"}, job.StepRecord{Item: 1, Uses: "delete_file", Args: maps.Clone(args)}, admission.Approval{From: []string{"leads"}, Require: 2}
		change(&st, &r, &ask)
		if got := x.approval(&st, &r, &ask); (got != nil) != (name == "") {
			t.Errorf("%s: the answer found is %+v", name, got)
		}
	}
	x.job.Endpoint.ID = "8"
	if got := x.approval(&actions.Step{ID: "a"}, &job.StepRecord{Item: 1, Uses: "delete_file", Args: args}, &admission.Approval{From: []string{"leads"}, Require: 2}); got != nil {
		t.Error("what was granted on one endpoint is granted on another")
	}
}
