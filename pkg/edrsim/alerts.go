package edrsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// alertStates are the states that an alert can be given.
var alertStates = []string{"Unresolved", "In Progress", "Resolved", "False Positive"}

// AddAlert puts an alert of a Carbon Black EDR into the analysts' queue, unresolved
// unless the fields have a status. An alert of the same id is replaced.
func (s *Server) AddAlert(id string, fields map[string]any) error {
	if s.cloud != nil {
		return fmt.Errorf("a simulated %s raises its own alerts: RaiseAlert", s.cfg.Kind)
	}
	if id == "" {
		return badRequest(fmt.Errorf("unique_id: an alert has one"))
	}
	alert := object{"status": "Unresolved", "alert_type": "watchlist.hit.query.process", "alert_severity": 50.0}
	maps.Copy(alert, fields)
	alert["unique_id"] = id
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts[id] = alert
	return nil
}

// Alert returns a copy of an alert of a Carbon Black EDR; nil if there is none.
func (s *Server) Alert(id string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.alerts[id])
}

// listAlerts answers a search. Only the filter by id is simulated.
func (s *Server) listAlerts(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("cb.fq.unique_id")
	s.mu.Lock()
	found := []object{}
	for _, key := range slices.Sorted(maps.Keys(s.alerts)) {
		if id == "" || key == id {
			found = append(found, maps.Clone(s.alerts[key]))
		}
	}
	s.mu.Unlock()
	return s.reply(w, r, object{"results": found, "total_results": len(found), "start": 0, "terms": []string{}, "facets": object{}})
}

// postAlert changes the state of one alert.
func (s *Server) postAlert(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		ID     string `json:"unique_id"`
		Status string `json:"status"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	id := r.PathValue("id")
	switch {
	case !slices.Contains(alertStates, req.Status):
		return badRequest(fmt.Errorf("status %q is none of %s", req.Status, strings.Join(alertStates, ", ")))
	case req.ID != id:
		return badRequest(fmt.Errorf("unique_id %q differs from the address", req.ID))
	}
	s.mu.Lock()
	alert := s.alerts[id]
	if alert != nil {
		alert["status"] = req.Status
	}
	s.mu.Unlock()
	if alert == nil {
		return &apiError{http.StatusNotFound, "Alert " + id + " does not exist"}
	}
	return s.reply(w, r, object{"result": "success"})
}

// simAddAlert takes the fields of an alert.
func (s *Server) simAddAlert(w http.ResponseWriter, r *http.Request) error {
	fields := object{}
	if err := readJSON(r, &fields); err != nil {
		return err
	}
	id, _ := fields["unique_id"].(string)
	if err := s.AddAlert(id, fields); err != nil {
		return err
	}
	return s.reply(w, r, object{"unique_id": id})
}
