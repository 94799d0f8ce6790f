package outputs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"edrpipe/internal/notices"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/job"
)

// OCSF is a Format: results become Remediation Activity (7001), decisions become
// Detection Finding (2004), and what rules publish an uncategorized Base Event. What the
// schema has no attribute for is in unmapped. An unknown outcome stays unknown.
type OCSF struct{ Version string } // of edrpipe

// ocsfVersion is the version of the schema: the first with the category Remediation.
const ocsfVersion = "1.3.0"

// ocsfEvent has the attributes of the three classes that are used.
type ocsfEvent struct {
	Class        int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	Category     int            `json:"category_uid"`
	Activity     int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	Type         int            `json:"type_uid"`
	Severity     int            `json:"severity_id"`
	Time         int64          `json:"time"` // milliseconds
	Start        int64          `json:"start_time,omitempty"`
	End          int64          `json:"end_time,omitempty"`
	Status       int            `json:"status_id"`
	StatusName   string         `json:"status"`
	Detail       string         `json:"status_detail,omitempty"`
	Message      string         `json:"message"`
	Command      string         `json:"command_uid,omitempty"`
	Finding      *ocsfFinding   `json:"finding_info,omitempty"`
	Device       *ocsfDevice    `json:"device,omitempty"`
	Metadata     ocsfMetadata   `json:"metadata"`
	Unmapped     map[string]any `json:"unmapped,omitempty"`
}

type ocsfFinding struct {
	UID   string `json:"uid"`
	Title string `json:"title"`
}

type ocsfDevice struct {
	UID      string `json:"uid"`
	Hostname string `json:"hostname,omitempty"`
	Type     int    `json:"type_id"` // 0: unknown
}

type ocsfMetadata struct {
	Version     string      `json:"version"`
	Product     ocsfProduct `json:"product"`
	UID         string      `json:"uid"`
	Correlation string      `json:"correlation_uid,omitempty"`
}

type ocsfProduct struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version,omitempty"`
}

// informational is the severity of every event: that of the rule is not in a notice.
const informational = 1

// Format implements Format.
func (f OCSF) Format(n Notice) ([]byte, error) {
	e := ocsfEvent{
		Severity: informational, Time: n.Time.UnixMilli(),
		Metadata: ocsfMetadata{Version: ocsfVersion, UID: n.ID, Product: ocsfProduct{Name: "edrpipe", Vendor: "edrpipe", Version: f.Version}},
	}
	var err error
	switch n.Type {
	case notices.TypeResult:
		err = e.result(n.Data)
	case notices.TypeDecision:
		err = e.decision(n.Data)
	default:
		e.ClassName, e.Activity, e.ActivityName = "Base Event", 99, n.Type
		e.Status, e.StatusName, e.Message = 99, "published", "published by a rule: "+n.Subject
		e.Unmapped = map[string]any{"source": n.Source, "data": n.Data}
	}
	if err != nil {
		return nil, err
	}
	e.Type = 100*e.Class + e.Activity
	return json.Marshal(e)
}

// result fills in what came of a job.
func (e *ocsfEvent) result(data []byte) error {
	var r job.ResultNotice
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("a result: %w", err)
	}
	e.Class, e.ClassName, e.Category, e.Command = 7001, "Remediation Activity", 7, r.Job
	e.Activity, e.ActivityName = remediation(r.Steps)
	e.Status, e.StatusName = outcome(r)
	e.Detail = strings.TrimSpace(string(r.Reason) + " " + r.Detail)
	e.Start, e.End = milliseconds(r.Started), milliseconds(r.Ended)
	e.Device = &ocsfDevice{UID: r.Server + "/" + string(r.Sensor), Hostname: r.Host}
	e.Metadata.Correlation = r.Job
	e.Message = fmt.Sprintf("job %s of %s on %s: %s", r.Job, source(r.Rule, r.Submitter), e.Device.UID, r.State)
	e.Unmapped = map[string]any{
		"state": r.State, "rule": r.Rule, "rule_digest": r.Digest, "submitter": r.Submitter, "mode": r.Mode, "of": r.Of, "event": r.Event, "steps": r.Steps,
	}
	return nil
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func source(rule, submitter string) string {
	if rule != "" {
		return "rule " + rule
	}
	return submitter
}

// Remediation activities, the tactics of D3FEND that the schema has.
const (
	isolate = 1
	evict   = 2
	restore = 3
	harden  = 4
	other   = 99
)

var activityNames = map[int]string{isolate: "Isolate", evict: "Evict", restore: "Restore", harden: "Harden", other: "Collect"}

// tactics are those of the actions that change something; others collect.
var tactics = map[string]int{
	"isolate": isolate, "unisolate": restore, "unban_hash": restore, "ban_hash": isolate,
	"kill_process": evict, "delete_file": evict, "delete_registry_key": evict, "delete_registry_value": evict,
	"set_registry_value": harden, "create_registry_key": harden, "put_file": harden,
}

// remediation is the activity of a job: the first of isolate, evict, harden and restore
// that one of its steps is.
func remediation(steps []job.StepNotice) (int, string) {
	found := other
	for _, wanted := range []int{isolate, evict, harden, restore} {
		if slices.ContainsFunc(steps, func(s job.StepNotice) bool { return tactics[s.Uses] == wanted }) {
			found = wanted
			break
		}
	}
	return found, activityNames[found]
}

// outcome is the status of a job's end.
func outcome(r job.ResultNotice) (int, string) {
	done := slices.ContainsFunc(r.Steps, func(s job.StepNotice) bool { return s.State == jobs.StepOK && destructive(s.Uses) })
	switch {
	case r.State == jobs.Succeeded:
		return 1, "Success"
	case r.State == jobs.Unknown:
		return 0, "Unknown"
	case r.State == jobs.Shadowed || r.State == jobs.Skipped:
		return 99, string(r.State)
	case done:
		return 4, "Partial"
	case r.Reason == jobs.ReasonUnsupported:
		return 5, "Unsupported"
	}
	return 2, "Failure"
}

func destructive(action string) bool {
	a, ok := actions.Lookup(action)
	return ok && a.Spec().Destructive
}

// decision fills in why a match made no job.
func (e *ocsfEvent) decision(data []byte) error {
	var d notices.Decision
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("a decision: %w", err)
	}
	e.Class, e.ClassName, e.Category = 2004, "Detection Finding", 2
	e.Activity, e.ActivityName = 1, "Create"
	e.Finding = &ocsfFinding{UID: d.Job, Title: d.Rule}
	e.Status, e.StatusName = 99, d.Reason
	if d.Reason == "suppressed" {
		e.Status, e.StatusName = 3, "Suppressed"
	}
	e.Detail = strings.TrimSpace(d.Reason + " " + d.Detail)
	if d.Sensor != "" {
		e.Device = &ocsfDevice{UID: d.Server + "/" + string(d.Sensor), Hostname: d.Host}
	}
	e.Metadata.Correlation = d.Job
	e.Message = fmt.Sprintf("rule %s matched and made no job: %s", d.Rule, d.Reason)
	e.Unmapped = map[string]any{"rule": d.Rule, "event": d.Event, "event_type": d.Type}
	return nil
}
