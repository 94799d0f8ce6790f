package edrsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// controlRoutes adds to the control channel what only this kind has.
func (c *cloud) controlRoutes(mux *http.ServeMux) {
	route := func(pattern string, f endpointFunc) { mux.Handle(pattern, c.srv.answer(f)) }
	route("GET /_sim/alerts", c.simAlerts)
	route("POST /_sim/alerts", c.simRaise)
	route("PUT /_sim/alerts/{id}", c.simChange)
}

// RaiseAlert adds an alert of a type about a sensor of a Carbon Black Cloud, with
// any fields replaced, and returns its id.
func (s *Server) RaiseAlert(typ string, sensorID int, fields map[string]any) (string, error) {
	if s.cloud == nil {
		return "", fmt.Errorf("a simulated %s has no alerts", s.cfg.Kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.sensor(sensorID); err != nil {
		return "", err
	}
	if typ == "" || typ != strings.ToUpper(typ) {
		return "", fmt.Errorf("type: %q is no type of an alert; there are %s", typ, strings.Join(cloudAlertTypes, ", "))
	}
	a := s.cloud.newAlert(typ, sensorID, s.clock.now().Add(-20*time.Second))
	maps.Copy(a.fields, fields)
	s.cloud.alerts = append(s.cloud.alerts, a)
	s.cloud.forward(a)
	return a.id(), nil
}

// ChangeAlert replaces fields of an alert, which the product forwards again as a
// whole.
func (s *Server) ChangeAlert(id string, fields map[string]any) error {
	if s.cloud == nil {
		return fmt.Errorf("a simulated %s has no alerts", s.cfg.Kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.cloud.alert(id)
	if err != nil {
		return err
	}
	maps.Copy(a.fields, fields)
	s.cloud.changed(a, s.clock.now(), false)
	return nil
}

// OrgKey is the organisation of a Carbon Black Cloud, or "".
func (s *Server) OrgKey() string { return s.cfg.OrgKey }

// Alerts lists the alerts of a Carbon Black Cloud as its API shows them, oldest
// first.
func (s *Server) Alerts() []map[string]any {
	if s.cloud == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]map[string]any, len(s.cloud.alerts))
	for i, a := range s.cloud.alerts {
		list[i] = maps.Clone(a.fields)
	}
	return list
}

func (c *cloud) simAlerts(w http.ResponseWriter, r *http.Request) error {
	return c.srv.reply(w, r, c.srv.Alerts())
}

// simRaise takes type, sensor_id (or device_id) and any further fields.
func (c *cloud) simRaise(w http.ResponseWriter, r *http.Request) error {
	fields := object{}
	if err := readJSON(r, &fields); err != nil {
		return err
	}
	sensor := 1
	for key, base := range map[string]int{"sensor_id": 0, "device_id": deviceBase} {
		if n, ok := fields[key].(float64); ok {
			sensor = int(n) - base
			delete(fields, key)
		}
	}
	typ, _ := fields["type"].(string)
	if typ == "" {
		typ = cloudAlertTypes[0]
	}
	id, err := c.srv.RaiseAlert(typ, sensor, fields)
	if err != nil {
		return invalid("%v", err)
	}
	return c.srv.reply(w, r, object{"id": id})
}

func (c *cloud) simChange(w http.ResponseWriter, r *http.Request) error {
	fields := object{}
	if err := readJSON(r, &fields); err != nil {
		return err
	}
	// A workflow's state can be given by one word.
	if status, ok := fields["status"].(string); ok && slices.Contains(workflowStates, status) {
		delete(fields, "status")
		fields["workflow"] = workflow(status, c.srv.clock.now(), "USER", "analyst@example.test", "NO_REASON")
	}
	if w, ok := fields["workflow"].(map[string]any); ok {
		fields["workflow"] = object(w)
	}
	if err := c.srv.ChangeAlert(r.PathValue("id"), fields); err != nil {
		return err
	}
	return c.srv.reply(w, r, object{"id": r.PathValue("id")})
}
