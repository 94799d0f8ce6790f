package edrsim

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A cloudJob is a change of many alerts, which is done at once and shown as done
// a moment later.
type cloudJob struct {
	id      string
	total   int
	created time.Time
}

func (c *cloud) jobRoutes(api func(method, path string, f endpointFunc)) {
	api("GET", "/{id}", c.getJob)
	api("GET", "/{id}/progress", c.jobProgress)
}

var (
	workflowStates   = []string{"OPEN", "IN_PROGRESS", "CLOSED"}
	closureReasons   = []string{"NO_REASON", "RESOLVED", "RESOLVED_BENIGN_KNOWN_GOOD", "DUPLICATE_CLEANUP", "OTHER"}
	determinations   = []string{"NONE", "TRUE_POSITIVE", "FALSE_POSITIVE"}
	workflowOptional = func(field, value string, known []string) error {
		if value != "" && !slices.Contains(known, value) {
			return notOneOf(field, value, known...)
		}
		return nil
	}
)

// workflowRequest is the body of a change of alerts.
type workflowRequest struct {
	alertSearch
	Status        string `json:"status"`
	Reason        string `json:"closure_reason"`
	Determination string `json:"determination"`
	Note          string `json:"note"`
}

func (q workflowRequest) check() error {
	if q.Status == "" && q.Determination == "" && q.Note == "" && q.Reason == "" {
		return invalid("status, closure_reason, determination and note are all missing")
	}
	if err := workflowOptional("status", q.Status, workflowStates); err != nil {
		return err
	}
	if err := workflowOptional("closure_reason", q.Reason, closureReasons); err != nil {
		return err
	}
	return workflowOptional("determination", q.Determination, determinations)
}

// postWorkflow changes all alerts that the criteria select.
func (c *cloud) postWorkflow(w http.ResponseWriter, r *http.Request) error {
	var req workflowRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	if ids := req.Criteria["id"]; len(ids) == 0 {
		c.srv.counters.request("POST alerts/workflow without ids", r.Method)
	}
	found, err := c.findAlerts(req.alertSearch)
	if err != nil {
		return err
	}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	now := c.srv.clock.now()
	for _, v := range found {
		if a, err := c.alert(fmt.Sprint(v["id"])); err == nil {
			c.setWorkflow(a, req, now)
		}
	}
	c.lastJob++
	job := &cloudJob{id: fmt.Sprint(c.lastJob), total: len(found), created: now}
	c.jobs[job.id] = job
	return c.srv.reply(w, r, object{"request_id": job.id})
}

func (c *cloud) setWorkflow(a *cloudAlert, req workflowRequest, now time.Time) {
	if req.Status != "" {
		reason := req.Reason
		if reason == "" {
			reason = "NO_REASON"
		}
		a.fields["workflow"] = workflow(req.Status, now, "API", c.srv.cfg.Username, reason)
	}
	if req.Determination != "" {
		a.fields["determination"] = object{"value": req.Determination, "change_timestamp": cloudTime(now), "changed_by_type": "API", "changed_by": c.srv.cfg.Username}
	}
	if req.Note != "" {
		c.addNote(a, req.Note)
	}
	a.history = append(a.history, object{"type": "USER_WORKFLOW_UPDATE", "workflow": a.fields["workflow"], "threat_id": a.fields["threat_id"]})
	c.changed(a, now, true)
}

// job finds one that is visible already. Callers hold the server's mutex.
func (c *cloud) job(r *http.Request) (*cloudJob, error) {
	j := c.jobs[r.PathValue("id")]
	if j == nil || c.srv.clock.now().Before(j.created.Add(c.duration("job-delay"))) {
		return nil, notFound("Job " + r.PathValue("id") + " not found")
	}
	return j, nil
}

func (c *cloud) getJob(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	j, err := c.job(r)
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.srv.reply(w, r, object{
		"id": j.id, "type": "alert_workflow", "job_parameters": object{}, "connector_id": "", "org_key": c.srv.cfg.OrgKey, "status": "COMPLETED",
		"progress":    object{"num_total": j.total, "num_completed": j.total, "message": nil},
		"create_time": cloudTime(j.created), "last_update_time": cloudTime(j.created),
	})
}

func (c *cloud) jobProgress(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	j, err := c.job(r)
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	return c.srv.reply(w, r, object{"num_total": j.total, "num_completed": j.total, "message": nil})
}
