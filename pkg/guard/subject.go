package guard

import (
	"cmp"
	"context"
	"reflect"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// subject is the sensor that a step acts on, as conditions of a guards file see
// it: what its server and the operator say, and of the event's words only those that
// they have none for.
type subject struct {
	ID          string            `json:"id"`
	Server      string            `json:"server" doc:"configured name of its server"`
	Hostname    string            `json:"hostname"`
	DNSName     string            `json:"dns_name"`
	Group       string            `json:"group" doc:"name of its group"`
	GroupID     string            `json:"group_id"`
	OS          string            `json:"os" doc:"windows, linux or osx" form:"os" words:"windows,linux,osx"`
	OSVersion   string            `json:"os_version"`
	IPs         []string          `json:"ips"`
	Type        string            `json:"type" doc:"workstation, server or domain_controller" form:"word" words:"workstation,server,domain_controller"`
	Criticality float64           `json:"criticality"`
	Tags        []string          `json:"tags"`
	Labels      map[string]string `json:"labels"`
	Tenant      string            `json:"tenant" doc:"of its server"`
}

// scope is what conditions of a guards file may use: the event, and in place of
// its sensor the one that is acted on.
var scope = expression.EventScope().
	With("sensor", "the sensor that is acted on", expression.Of(reflect.TypeFor[subject]())).
	With("action", "name of the action", expression.TextType).
	With("rule", "id of the rule", expression.TextType)

// Facts merges the facts of the endpoint's server and of the operator's file into a
// sensor; they take precedence over those of its events. now is the server's latest record.
type Facts func(ctx context.Context, e edr.Endpoint, now edr.Sensor, s *events.Sensor)

// factsOf are the facts of the sensor that is acted on: of the event where it is about
// this endpoint, over them those of its server, over them the operator's.
func (g *Guard) factsOf(ctx context.Context, a admission.Request) events.Sensor {
	var s events.Sensor
	if e := a.Event; e != nil && e.Sensor.ID == a.Sensor.ID && (e.Sensor.Server == "" || e.Sensor.Server == a.Endpoint.Server) {
		s = e.Sensor
	}
	s.ID, s.Server = a.Sensor.ID, a.Endpoint.Server
	if g.facts != nil {
		g.facts(ctx, a.Endpoint, a.Sensor, &s)
	}
	s.Group, s.OS, s.OSVersion = cmp.Or(a.Sensor.Group, s.Group), cmp.Or(string(a.Sensor.OS), s.OS), cmp.Or(a.Sensor.OSVersion, s.OSVersion)
	s.Hostname = cmp.Or(a.Sensor.Hostname, s.Hostname)
	return s
}

// holds evaluates a guard's condition. Where it hangs on facts that are not known,
// missing are those.
func (g *Guard) holds(ctx context.Context, p *expression.Program, a admission.Request) (truth expression.Truth, missing events.Facts, err error) {
	f := g.factsOf(ctx, a)
	labels := map[string]any{}
	for name, value := range f.Labels {
		labels[name] = value
	}
	sensor := map[string]any{
		"id": a.Sensor.ID, "server": a.Endpoint.Server, "hostname": f.Hostname, "dns_name": a.Sensor.DNSName,
		"group": f.Group, "group_id": a.Sensor.GroupID, "os": f.OS, "os_version": f.OSVersion, "ips": anyList(a.Sensor.IPs),
		"type": f.Type, "criticality": f.Criticality, "tags": anyList(f.Tags), "labels": labels, "tenant": f.Tenant,
	}
	env := expression.Env(a.Event, map[string]any{"sensor": sensor, "action": a.Action, "rule": a.Rule})
	unknown := f.Unknown()
	if a.Event == nil || !a.Event.Image.Known {
		unknown |= events.FactImage
	}
	return p.Truth(env, unknown)
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}
