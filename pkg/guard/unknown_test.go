package guard

import (
	"context"
	"strings"
	"testing"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

const unclearGuards = `
protected:
  - {name: dc, sensors: 'sensor.type == "domain_controller"', deny: [isolate]}
approvals:
  - {name: servers, actions: [run], sensors: 'sensor.group == "Servers"', require: 1}
hours:
  - {name: nights, actions: [get_file], sensors: 'sensor.type == "server"', from: "02:00", to: "03:00"}
budgets:
  - {name: few, actions: [list_processes], where: 'sensor.type == "server"', times: 1, per: 1h}
`

// TestUnknownFactsHold: a fact may come from the event, the server, the directory or
// from nowhere. From nowhere, a guard that reads it never lets the step act.
func TestUnknownFactsHold(t *testing.T) {
	type request = admission.Request
	event := func(s events.Sensor) func(*request) {
		s.ID = "1"
		return func(a *request) { a.Event = &events.Event{Sensor: s} }
	}
	file := func(typ string) Facts {
		return func(_ context.Context, _ edr.Endpoint, _ edr.Sensor, s *events.Sensor) { s.Type = typ }
	}
	for name, c := range map[string]struct {
		action string
		change func(*request)
		facts  Facts
		want   admission.Decision
		why    Reason
		detail string
	}{
		"protected, from nowhere":              {"isolate", nil, nil, admission.Hold, UnknownFact, "sensor.type is not known"},
		"protected, from the event":            {"isolate", event(events.Sensor{Type: "workstation"}), nil, admission.Allow, "", ""},
		"protected, from the file":             {"isolate", nil, file("domain_controller"), admission.Deny, Protected, ""},
		"the file overrules the event":         {"isolate", event(events.Sensor{Type: "workstation"}), file("domain_controller"), admission.Deny, Protected, ""},
		"an event of another endpoint":         {"isolate", func(a *request) { a.Event = &events.Event{Sensor: events.Sensor{ID: "2", Type: "workstation"}} }, nil, admission.Hold, UnknownFact, ""},
		"an event of another server":           {"isolate", event(events.Sensor{Server: "b", Type: "workstation"}), nil, admission.Hold, UnknownFact, ""},
		"by a person":                          {"isolate", func(a *request) { a.Rule, a.Submitter = "", "ann" }, nil, admission.Hold, UnknownFact, ""},
		"a rule in shadow mode only records":   {"isolate", func(a *request) { a.Shadow = true }, nil, admission.Shadow, RuleShadow, ""},
		"approval, from nowhere":               {"run", nil, nil, admission.Hold, UnknownFact, "sensor.group is not known"},
		"approval, from the server":            {"run", func(a *request) { a.Sensor.Group = "Office" }, nil, admission.Allow, "", ""},
		"approval, the server says so":         {"run", func(a *request) { a.Sensor.Group = "Servers" }, nil, admission.Hold, Unapproved, ""},
		"approval, unknown, and people agreed": {"run", func(a *request) { a.Answers = []admission.Answer{{By: "ann", Allow: true}} }, nil, admission.Allow, "", ""},
		"an undo of a person, unknown":         {"isolate", func(a *request) { a.Undo = true }, nil, admission.Hold, UnknownFact, "sensor.type is not known"},
		"protected, and a person agreed":       {"isolate", func(a *request) { a.Answers = []admission.Answer{{By: "ann", Allow: true}} }, nil, admission.Allow, "", ""},
		"protected, and a person refused":      {"isolate", func(a *request) { a.Answers = []admission.Answer{{By: "ann"}} }, nil, admission.Deny, Refused, "ann refused"},
		"agreed, and the fact says protected":  {"isolate", func(a *request) { a.Answers = []admission.Answer{{By: "ann", Allow: true}} }, file("domain_controller"), admission.Deny, Protected, ""},
		"the word of who submitted it":         {"isolate", func(a *request) { a.Submitter, a.Answers = "ann", []admission.Answer{{By: "ann", Allow: true}} }, nil, admission.Hold, UnknownFact, ""},
		"hours, from nowhere":                  {"get_file", nil, nil, admission.Hold, UnknownFact, "sensor.type is not known"},
		"hours, and a person agreed":           {"get_file", func(a *request) { a.Answers = []admission.Answer{{By: "ann", Allow: true}} }, nil, admission.Allow, "", ""},
		"hours, from the file":                 {"get_file", nil, file("server"), admission.Hold, Hours, ""},
		"budget, from nowhere":                 {"list_processes", nil, nil, admission.Hold, UnknownFact, "sensor.type is not known"},
		"budget, and a person agreed":          {"list_processes", func(a *request) { a.Answers = []admission.Answer{{By: "ann", Allow: true}} }, nil, admission.Allow, "", ""},
		"a guard on other actions":             {"ban_hash", nil, nil, admission.Allow, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := New(Config{Policy: load(t, unclearGuards), Facts: c.facts, Now: at(monday)})
			a := isolate(1, "")
			a.Action, a.Endpoint = c.action, edr.Endpoint{Server: "a", ID: "1"}
			if c.change != nil {
				c.change(&a)
			}
			v := g.Admit(t.Context(), a)
			if v.Decision != c.want || v.Reason != c.why || !strings.Contains(v.Detail, c.detail) {
				t.Errorf("got %+v, want %s %s %q", v, c.want, c.why, c.detail)
			}
			if v.Reason == UnknownFact && (v.Approval == nil || v.Missing == 0) {
				t.Errorf("nobody can answer: %+v", v)
			}
			if early := g.Enqueue(t.Context(), a); (early.Decision == admission.Deny) != (c.why == Protected) {
				t.Errorf("at enqueue: %+v", early)
			}
		})
	}
}
