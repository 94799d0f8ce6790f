package actions

import "time"

// A Step is one step of a chain as its author wrote it. Text in With, and the
// expressions in If, Foreach, Sensor and Approval.If, are evaluated when the
// step runs. It is part of a job's record.
type Step struct {
	ID        string         `json:"id"` // unique in its chain; given by position where the author gave none
	Uses      string         `json:"uses,omitempty"`
	With      map[string]any `json:"with,omitempty"`
	Written   map[string]any `json:"written,omitempty"` // With before its evaluation, where With holds final values
	If        string         `json:"if,omitempty"`
	Foreach   string         `json:"foreach,omitempty"`
	Timeout   time.Duration  `json:"timeout,omitempty"`
	Retry     *Retry         `json:"retry,omitempty"`
	OnError   string         `json:"on_error,omitempty"` // stop (default) or continue
	Approval  *Approval      `json:"approval,omitempty"`
	UndoAfter time.Duration  `json:"undo_after,omitempty"`
	Sensor    string         `json:"sensor,omitempty"` // expression for another sensor than the event's
	Parallel  []Step         `json:"parallel,omitempty"`
	Undoes    *Undone        `json:"undoes,omitempty"` // set by the scheduler on the step that undoes another
}

// Undone names the step that another one undoes.
type Undone struct {
	Job  string `json:"job"`
	Step string `json:"step"`
}

// Template returns the parameters as their author wrote them.
func (s Step) Template() map[string]any {
	if s.Written != nil {
		return s.Written
	}
	return s.With
}

// Retry is the number of retries of a step, and their reasons.
type Retry struct {
	Max     int           `json:"max"`
	Backoff time.Duration `json:"backoff,omitempty"`
	On      []string      `json:"on,omitempty"` // timeout, sensor_busy, server_error; empty: all of them
}

// Approval makes a step wait for people.
type Approval struct {
	If        string        `json:"if,omitempty"` // expression; empty: always
	From      []string      `json:"from,omitempty"`
	Require   int           `json:"require,omitempty"` // how many people; 0 means 1
	Within    time.Duration `json:"within,omitempty"`
	Otherwise string        `json:"otherwise,omitempty"` // deny (default) or allow
}
