package jobs

import (
	"encoding/json"

	"edrpipe/pkg/actions"
)

// A Binder gives the steps of a job their values. Its errors mean that the step
// can never run as it is written.
type Binder interface {
	// Holds evaluates a condition; "" holds.
	Holds(s *Scope, expression string) (bool, error)
	// Always tells whether a condition holds after a failure, too: if: always().
	Always(expression string) bool
	// Items evaluates a foreach.
	Items(s *Scope, expression string) ([]any, error)
	// Sensor evaluates the sensor of a step.
	Sensor(s *Scope, expression string) (int, error)
	// Args evaluates With: plain data, as it is recorded.
	Args(s *Scope, with map[string]any) (map[string]any, error)
	// Params decodes recorded arguments into what the action takes.
	Params(a actions.Action, args map[string]any) (any, error)
}

// Scope is what the expressions of a step see.
type Scope struct {
	Job    *Job                  // Event, Vars, Correlated and the job itself; read only
	Steps  map[string]StepResult // ended steps by id
	Item   any                   // in a foreach
	Failed *StepResult           // in OnFailure: the step that failed
}

// StepResult is an ended step as expressions see it.
type StepResult struct {
	ID     string          `json:"id"`
	Status StepState       `json:"status"`
	Error  string          `json:"error,omitempty"`
	Output json.RawMessage `json:"output,omitempty"` // a JSON array of outputs for a foreach
}
