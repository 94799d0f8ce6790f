package outputs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"edrpipe/internal/golden"
	"edrpipe/internal/notices"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/job"
)

// schema is ours of a class, made from the attributes that OCSF requires and allows.
func schema(t *testing.T, class any) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", "ocsf", fmt.Sprint(class)+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// format formats a notice and holds it to the schema of its class.
func format(t *testing.T, typ string, data any) (whole []byte, event map[string]any) {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	whole, err = OCSF{Version: "1.0"}.Format(Notice{ID: "n-1", Type: typ, Source: "edrpipe/hq", Subject: "job/j-1", Time: time.Unix(1700000000, 0), Data: raw})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(whole, &event); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(whole))
	if err == nil {
		err = schema(t, event["class_uid"]).Validate(value)
	}
	if err != nil {
		t.Errorf("%s\n%v", whole, err)
	}
	if event["type_uid"] != 100*event["class_uid"].(float64)+event["activity_id"].(float64) {
		t.Errorf("type_uid %v of %v and %v", event["type_uid"], event["class_uid"], event["activity_id"])
	}
	return whole, event
}

func steps(state job.StepState, uses ...string) (all []job.StepNotice) {
	for i, u := range uses {
		all = append(all, job.StepNotice{ID: fmt.Sprint(i), Uses: u, State: state})
	}
	return all
}

// TestOutcomes: the status is that of the job's end, and an unknown one stays unknown.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r        job.ResultNotice
		status   float64
		activity float64
	}{
		"succeeded":             {job.ResultNotice{State: jobs.Succeeded, Steps: steps(jobs.StepOK, "list_processes", "isolate")}, 1, isolate},
		"only collected":        {job.ResultNotice{State: jobs.Succeeded, Steps: steps(jobs.StepOK, "get_file")}, 1, other},
		"no steps":              {job.ResultNotice{State: jobs.Succeeded}, 1, other},
		"unknown":               {job.ResultNotice{State: jobs.Unknown, Steps: steps(jobs.StepOK, "kill_process")}, 0, evict},
		"failed after an act":   {job.ResultNotice{State: jobs.Failed, Steps: append(steps(jobs.StepOK, "kill_process"), steps(jobs.StepFailed, "delete_file")...)}, 4, evict},
		"failed after a look":   {job.ResultNotice{State: jobs.Failed, Steps: append(steps(jobs.StepOK, "list_processes"), steps(jobs.StepFailed, "delete_file")...)}, 2, evict},
		"denied":                {job.ResultNotice{State: jobs.Denied}, 2, other},
		"expired":               {job.ResultNotice{State: jobs.Expired, Steps: steps(jobs.StepFailed, "unisolate")}, 2, restore},
		"without Live Response": {job.ResultNotice{State: jobs.Failed, Reason: jobs.ReasonUnsupported}, 5, other},
		"shadowed":              {job.ResultNotice{State: jobs.Shadowed, Steps: steps(jobs.StepSkipped, "ban_hash")}, 99, isolate},
		"skipped":               {job.ResultNotice{State: jobs.Skipped, Steps: steps(jobs.StepSkipped, "set_registry_value")}, 99, harden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.r.Job, c.r.Server, c.r.Sensor = "j-1", "hq", "42"
			_, e := format(t, notices.TypeResult, c.r)
			if e["status_id"] != c.status || e["activity_id"] != c.activity {
				t.Errorf("status %v, activity %v; want %v, %v", e["status_id"], e["activity_id"], c.status, c.activity)
			}
		})
	}
}

// TestDecisions: a match without a job is a finding; one that was suppressed says so.
func TestDecisions(t *testing.T) {
	t.Parallel()
	for reason, status := range map[string]float64{"suppressed": 3, "other_server": 99} {
		_, e := format(t, notices.TypeDecision, notices.Decision{Job: "j-1", Rule: "r", Event: "e", Type: "process_start", Reason: reason})
		if e["status_id"] != status || e["device"] != nil {
			t.Errorf("%s: status %v, device %v", reason, e["status_id"], e["device"])
		}
	}
}

func TestOCSFRefuses(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{notices.TypeResult, notices.TypeDecision} {
		if _, err := (OCSF{}).Format(Notice{Type: typ, Data: []byte(`"text"`)}); err == nil {
			t.Errorf("%s of text was formatted", typ)
		}
	}
}

// TestOCSFGolden shows one event of each class whole.
func TestOCSFGolden(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0).UTC()
	for name, c := range map[string]struct {
		typ  string
		data any
	}{
		"result": {notices.TypeResult, job.ResultNotice{
			Job: "j-1", Rule: "office-macro", Digest: "d1", Server: "hq", Sensor: "42", Host: "WS-ANN", State: jobs.Failed, Reason: jobs.ReasonTimeout, Detail: "after 60s",
			Created: at, Started: at.Add(time.Second), Ended: at.Add(2 * time.Second), Event: &job.EventRef{ID: "e-1", Type: "ingress.event.procstart"},
			Steps: append(steps(jobs.StepOK, "kill_process"), steps(jobs.StepFailed, "isolate")...),
		}},
		"decision":  {notices.TypeDecision, notices.Decision{Job: "j-1", Rule: "office-macro", Event: "e-1", Type: "process_start", Server: "hq", Sensor: "42", Host: "WS-ANN", Reason: "suppressed", Detail: "job j-0 acted for the same", At: at}},
		"published": {notices.TypePublished, map[string]any{"host": "WS-ANN"}},
	} {
		whole, _ := format(t, c.typ, c.data)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, whole, "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		golden.Check(t, filepath.Join("testdata", "ocsf", name+".golden.json"), pretty.String())
	}
}
