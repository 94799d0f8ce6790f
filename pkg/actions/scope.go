package actions

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// Site is where a chain stands: what its expressions may use besides the event
// and the chain's own steps.
type Site struct {
	Vars       []expression.Field // variables of the rule
	Correlated *expression.Type   // nil: the rule does not correlate
	Before     []Step             // of on_failure: the chain that failed
	Failure    bool               // the chain is an on_failure
	Event      *expression.Scope  // with the event, lists and perhaps a memory; nil: without lists
}

// Scope is the values that expressions see when a step runs.
type Scope struct {
	Event      *events.Event
	Vars       map[string]any
	Correlated map[string]any
	Job        JobInfo
	Rule       RuleInfo
	Steps      map[string]StepResult // ended steps by id
	Item       any                   // in a foreach
	Failed     *StepResult           // in an on_failure: the step that failed
}

// JobInfo is the job as expressions see it.
type JobInfo struct {
	ID       string    `json:"id"`
	Server   string    `json:"server" doc:"EDR server"`
	Sensor   string    `json:"sensor" doc:"sensor id"`
	Host     string    `json:"host" doc:"name of the endpoint"`
	Priority string    `json:"priority"`
	Mode     string    `json:"mode" doc:"shadow or enforce"`
	Created  time.Time `json:"created"`
}

// RuleInfo is the rule as expressions see it.
type RuleInfo struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Severity string   `json:"severity"`
	Tags     []string `json:"tags"`
	Digest   string   `json:"digest" doc:"SHA-256 of the rule"`
}

// StepResult is an ended step as expressions see it.
type StepResult struct {
	ID     string          `json:"id"`
	Status string          `json:"status" doc:"ok, failed, skipped or unknown"`
	Error  string          `json:"error"`
	Output json.RawMessage `json:"output"` // of a foreach, a list of outputs
}

// statusType is the type of a step's status.
var statusType = expression.OneOf("ok", "failed", "skipped", "unknown")

// failedType is the type of failed.
var failedType = expression.ObjectOf(
	expression.Field{Name: "id", Type: expression.TextType},
	expression.Field{Name: "status", Type: statusType},
	expression.Field{Name: "error", Type: expression.TextType},
	expression.Field{Name: "output", Type: expression.AnyType},
)

var (
	jobType  = expression.Of(reflect.TypeFor[JobInfo]())
	ruleType = expression.Of(reflect.TypeFor[RuleInfo]())
)

// base is the scope of a chain's expressions before its first step.
func (s Site) base() *expression.Scope {
	scope := s.Event
	if scope == nil {
		scope = expression.EventScope()
	}
	scope = scope.
		With("vars", "variables of the rule", expression.ObjectOf(s.Vars...)).
		With("job", "the job", jobType).
		With("rule", "the rule", ruleType)
	if s.Correlated != nil {
		scope = scope.With("correlated", "what the correlation found", s.Correlated)
	}
	if s.Failure {
		scope = scope.With("failed", "the step that failed", failedType)
	}
	return scope
}

// stepType is the type of steps.<id>; item tells that the step is a foreach.
func stepType(s Step) *expression.Type {
	output := expression.AnyType
	if a, ok := Lookup(s.Uses); ok {
		output = expression.Of(a.Output())
	}
	if s.Foreach != "" {
		output = expression.ListOf(output)
	}
	return expression.ObjectOf(
		expression.Field{Name: "output", Doc: "what " + s.Uses + " found", Type: output},
		expression.Field{Name: "status", Doc: "ok, failed, skipped or unknown", Type: statusType},
		expression.Field{Name: "error", Doc: "why it failed", Type: expression.TextType},
	)
}

// flatten lists steps with those inside of parallel ones.
func flatten(steps []Step) []Step {
	var all []Step
	for _, s := range steps {
		all = append(all, s)
		all = append(all, flatten(s.Parallel)...)
	}
	return all
}

// result is a step's result as plain data. A step that has not run, or left no
// output, has none; its type makes that the zero output.
func (r StepResult) plain() (map[string]any, error) {
	if len(r.Output) == 0 {
		return map[string]any{"id": r.ID, "output": nil, "status": r.Status, "error": r.Error}, nil
	}
	output, err := events.DecodeJSON(r.Output)
	if err != nil {
		return nil, fmt.Errorf("output of step %s: %w", r.ID, err)
	}
	return map[string]any{"id": r.ID, "output": output, "status": r.Status, "error": r.Error}, nil
}
