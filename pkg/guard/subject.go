package guard

import (
	"reflect"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/expression"
)

// subject is the sensor that a step acts on, as conditions of a guards file see
// it: what its server says, and of the event's words only those that the server
// has none for.
type subject struct {
	ID          string   `json:"id"`
	Hostname    string   `json:"hostname"`
	DNSName     string   `json:"dns_name"`
	Group       string   `json:"group" doc:"name of its group"`
	GroupID     string   `json:"group_id"`
	OS          string   `json:"os" doc:"windows, linux or osx"`
	OSVersion   string   `json:"os_version"`
	IPs         []string `json:"ips"`
	Type        string   `json:"type" doc:"workstation, server or domain_controller, as the event says"`
	Criticality float64  `json:"criticality" doc:"as the event says"`
}

// scope is what conditions of a guards file may use: the event, and in place of
// its sensor the one that is acted on.
var scope = expression.EventScope().
	With("sensor", "the sensor that is acted on", expression.Of(reflect.TypeFor[subject]())).
	With("action", "name of the action", expression.TextType).
	With("rule", "id of the rule", expression.TextType)

// env is the environment of conditions.
func env(a admission.Request) map[string]any {
	s := a.Sensor
	sensor := map[string]any{
		"id": s.ID, "hostname": s.Hostname, "dns_name": s.DNSName, "group": s.Group, "group_id": s.GroupID,
		"os": string(s.OS), "os_version": s.OSVersion, "ips": anyList(s.IPs), "type": "", "criticality": 0.0,
	}
	if e := a.Event; e != nil && e.Sensor.ID == s.ID {
		sensor["type"], sensor["criticality"] = e.Sensor.Type, e.Sensor.Criticality
		for name, said := range map[string]string{"hostname": e.Sensor.Hostname, "group": e.Sensor.Group, "os": e.Sensor.OS} {
			if sensor[name] == "" {
				sensor[name] = said
			}
		}
	}
	return expression.Env(a.Event, map[string]any{"sensor": sensor, "action": a.Action, "rule": a.Rule})
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}
