package edrsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *cloud) alertRoutes(api func(method, path string, f endpointFunc)) {
	api("POST", "/_search", c.searchAlerts)
	api("POST", "/_facet", c.facetAlerts)
	api("POST", "/workflow", c.postWorkflow)
	api("GET", "/{id}", c.getAlert)
	api("GET", "/{id}/history", c.alertHistory)
	api("GET", "/{id}/notes", c.listNotes)
	api("POST", "/{id}/notes", c.postNote)
	api("DELETE", "/{id}/notes/{nid}", c.deleteNote)
}

// alertSearch is the body of a search for alerts.
type alertSearch struct {
	TimeRange  json.RawMessage            `json:"time_range"`
	Criteria   map[string]json.RawMessage `json:"criteria"`
	Exclusions map[string]json.RawMessage `json:"exclusions"`
	Query      string                     `json:"query"`
	Sort       []searchSort               `json:"sort"`
	Rows       *number                    `json:"rows"`
	Start      *number                    `json:"start"` // counts from 1
	Terms      json.RawMessage            `json:"terms"`
}

var alertTimes = []string{"backend_timestamp", "backend_update_timestamp", "detection_timestamp", "first_event_timestamp", "last_event_timestamp", "user_update_timestamp"}

func (c *cloud) searchAlerts(w http.ResponseWriter, r *http.Request) error {
	var req alertSearch
	if err := readJSON(r, &req); err != nil {
		return err
	}
	found, err := c.findAlerts(req)
	if err != nil {
		return err
	}
	start, rows := 1, 100
	if req.Start != nil {
		start = int(*req.Start)
	}
	if req.Rows != nil {
		rows = int(*req.Rows)
	}
	if start < 1 || rows < 0 || start-1+rows > maxSearch {
		return invalid("start counts from 1, and start and rows must be within %d", maxSearch)
	}
	page := found[min(start-1, len(found)):min(start-1+rows, len(found))]
	return c.srv.reply(w, r, object{"results": page, "num_found": len(found), "num_available": min(len(found), maxSearch)})
}

// findAlerts lists copies of the alerts that a search selects, in its order.
func (c *cloud) findAlerts(req alertSearch) ([]object, error) {
	terms, err := parseQuery(req.Query, "id", "type", "device_id", "device_name", "threat_id", "severity", "process_name", "reason")
	if err != nil {
		return nil, err
	}
	if len(req.TimeRange) == 0 || string(req.TimeRange) == "{}" || string(req.TimeRange) == "null" {
		req.TimeRange = json.RawMessage(`{"range":"-2w"}`)
	}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	now := c.srv.clock.now()
	found := []object{}
	for _, a := range c.alerts {
		in, err := inTimeRange(fmt.Sprint(a.fields["backend_timestamp"]), req.TimeRange, now)
		if err == nil && in {
			in, err = alertIn(a.fields, req.Criteria, now, true)
		}
		if err == nil && in && len(req.Exclusions) > 0 {
			var out bool
			out, err = alertIn(a.fields, req.Exclusions, now, false)
			in = !out
		}
		if err != nil {
			return nil, err
		}
		if in && terms.match(a.fields) {
			found = append(found, maps.Clone(a.fields))
		}
	}
	order := req.Sort
	if len(order) == 0 {
		order = []searchSort{{"detection_timestamp", "DESC"}}
	}
	return found, sortObjects(found, order, append(slices.Clone(alertTimes), "severity", "type", "device_name", "id")...)
}

// alertIn reports whether an alert meets all criteria, or any.
func alertIn(a object, criteria map[string]json.RawMessage, now time.Time, all bool) (bool, error) {
	for name, raw := range criteria {
		ok, err := alertMeets(a, name, raw, now)
		if err != nil {
			return false, err
		}
		if ok != all {
			return !all, nil
		}
	}
	return all, nil
}

func alertMeets(a object, name string, raw json.RawMessage, now time.Time) (bool, error) {
	switch {
	case slices.Contains(alertTimes, name):
		return inTimeRange(fmt.Sprint(a[name]), raw, now)
	case name == "minimum_severity":
		s, err := scalar(raw)
		n, notNumber := strconv.Atoi(s)
		if err != nil || notNumber != nil {
			return false, invalid("minimum_severity: %.40s is no number", raw)
		}
		severity, _ := strconv.Atoi(fmt.Sprint(a["severity"]))
		return severity >= n, nil
	}
	value := a[name]
	switch name {
	case "id", "type", "device_id", "device_name", "device_os", "threat_id", "policy_applied", "run_state", "sensor_action", "process_name", "process_sha256", "device_policy", "report_id", "reason_code":
	case "workflow_status":
		value = a["workflow"].(object)["status"]
	case "determination_value":
		value = a["determination"].(object)["value"]
	default:
		return false, &cloudError{http.StatusBadRequest, "INVALID_FIELD", "No criterion is named " + name, object{"field": "criteria." + name}}
	}
	wanted, err := words(raw)
	return err == nil && (len(wanted) == 0 || value != nil && oneOf(wanted, fmt.Sprint(value))), err
}

// facetAlerts counts the values of fields.
func (c *cloud) facetAlerts(w http.ResponseWriter, r *http.Request) error {
	var req alertSearch
	if err := readJSON(r, &req); err != nil {
		return err
	}
	var terms struct {
		Fields []string `json:"fields"`
	}
	_ = json.Unmarshal(req.Terms, &terms) // absent: no fields
	found, err := c.findAlerts(req)
	if err != nil {
		return err
	}
	results := []object{}
	for _, field := range terms.Fields {
		counts := map[string]int{}
		for _, a := range found {
			if v := a[field]; v != nil {
				counts[fmt.Sprint(v)]++
			}
		}
		values := []object{}
		for _, v := range slices.Sorted(maps.Keys(counts)) {
			values = append(values, object{"id": v, "name": v, "total": counts[v]})
		}
		results = append(results, object{"field": strings.ToLower(field), "values": values})
	}
	return c.srv.reply(w, r, object{"results": results, "num_found": len(found)})
}

// withAlert answers with what f makes of the alert that a request names.
func (c *cloud) withAlert(w http.ResponseWriter, r *http.Request, f func(*cloudAlert) (any, error)) error {
	c.srv.mu.Lock()
	a, err := c.alert(r.PathValue("id"))
	var v any
	if err == nil {
		v, err = f(a)
	}
	c.srv.mu.Unlock()
	if err != nil {
		return err
	}
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.srv.reply(w, r, v)
}

func (c *cloud) getAlert(w http.ResponseWriter, r *http.Request) error {
	return c.withAlert(w, r, func(a *cloudAlert) (any, error) { return maps.Clone(a.fields), nil })
}

func (c *cloud) alertHistory(w http.ResponseWriter, r *http.Request) error {
	return c.withAlert(w, r, func(a *cloudAlert) (any, error) {
		return object{"history": append([]object{}, a.history...)}, nil
	})
}

func (c *cloud) listNotes(w http.ResponseWriter, r *http.Request) error {
	return c.withAlert(w, r, func(a *cloudAlert) (any, error) {
		return object{"num_found": len(a.notes), "results": append([]object{}, a.notes...)}, nil
	})
}

func (c *cloud) postNote(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Note string `json:"note"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if strings.TrimSpace(req.Note) == "" {
		return invalid("note is missing")
	}
	return c.withAlert(w, r, func(a *cloudAlert) (any, error) {
		n := c.addNote(a, req.Note)
		c.changed(a, c.srv.clock.now(), true)
		return n, nil
	})
}

// addNote writes a note on an alert.
func (c *cloud) addNote(a *cloudAlert, text string) object {
	now := c.srv.clock.now()
	n := object{"id": c.uuid(), "note": text, "author": c.srv.cfg.Username, "create_timestamp": cloudTime(now), "source": "CUSTOMER", "parent_id": nil, "read_history": nil, "thread": nil}
	a.notes = append(a.notes, n)
	a.history = append(a.history, object{"type": "ALERT_NOTE_ADDED", "note": n, "threat_id": a.fields["threat_id"]})
	a.fields["alert_notes_present"] = true
	return n
}

func (c *cloud) deleteNote(w http.ResponseWriter, r *http.Request) error {
	return c.withAlert(w, r, func(a *cloudAlert) (any, error) {
		before := len(a.notes)
		a.notes = slices.DeleteFunc(a.notes, func(n object) bool { return n["id"] == r.PathValue("nid") })
		if len(a.notes) == before {
			return nil, notFound("Note " + r.PathValue("nid") + " not found")
		}
		a.fields["alert_notes_present"] = len(a.notes) > 0
		c.changed(a, c.srv.clock.now(), true)
		return nil, nil
	})
}
