package notices

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// compileContract checks that every schema of the document is one, and that all
// references lead somewhere.
func compileContract(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	b, err := json.Marshal(Contract())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("asyncapi.json", doc); err != nil {
		t.Fatal(err)
	}
	for _, ch := range channels() {
		for _, m := range ch.messages {
			if _, err := c.Compile("asyncapi.json#/components/messages/" + m.name + "/payload"); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
	return c
}

func TestWhatIsSentIsAsTheContractSays(t *testing.T) {
	c := compileContract(t)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	j := &jobs.Job{ID: "j", Rule: "r", Endpoint: edr.Endpoint{Server: "s", ID: "7"}, Submitter: "rule", State: jobs.Succeeded, Created: at, Ended: at, Done: []jobs.StepRecord{{ID: "a", Uses: "list_processes", State: jobs.StepOK, Output: json.RawMessage(`{"x":1}`)}}}
	n := Publisher{Title: "s"}
	for name, tc := range map[string]struct {
		typ  string
		data any
	}{
		"result":     {TypeResult, j.Result()},
		"transition": {TypeTransition, jobs.Transition{At: at, State: jobs.Parked}.Notice(j)},
		"step":       {TypeStep, j.Done[0].Notice()},
		"decision":   {TypeDecision, Decision{Job: "j", At: at}},
	} {
		s, err := c.Compile("asyncapi.json#/components/messages/" + name + "/payload")
		if err != nil {
			t.Fatal(err)
		}
		notice := n.notice(j, tc.typ, "edr.jobs.j.x", "x", at, tc.data)
		envelope := map[string]any{"specversion": "1.0", "id": notice.ID, "type": notice.Type, "source": notice.Source, "subject": notice.About, "time": at.Format(time.RFC3339), "data": notice.Data}
		b, err := json.Marshal(envelope)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheContractNamesEverySubject(t *testing.T) {
	var named []string
	for _, c := range channels() {
		named = append(named, c.address)
	}
	all := strings.Join(named, " ")
	j := &jobs.Job{ID: "j", Rule: "r"}
	for _, subject := range []string{resultSubject(j), JobSubject(j.ID, "running"), "edr.events.x", "edr.dead.x", "edr.published.x", "edr.audit"} {
		family := strings.Join(strings.Split(subject, ".")[:2], ".")
		if !strings.Contains(all, family) {
			t.Errorf("%s is not in the contract", subject)
		}
	}
}
