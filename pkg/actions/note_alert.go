package actions

import (
	"context"
	"fmt"

	"edrpipe/pkg/edr"
)

// NoteAlertParams are the parameters of note_alert.
type NoteAlertParams struct {
	Alert string `json:"alert" doc:"id of the alert; default: the event's"`
	Note  string `json:"note" required:"true" doc:"text, which is kept after the job's id"`
}

var _ = Register(Definition[NoteAlertParams, AlertOutput]{
	Is: Spec{
		Name:        "note_alert",
		Summary:     "Write on the alert what was done",
		Class:       Repeatable, // the same text is not written twice
		Powers:      []edr.Power{edr.PowerNote},
		Permissions: []string{permitAlerts},
	},
	Do: func(ctx context.Context, t *Task, p NoteAlertParams) (AlertOutput, error) {
		power, err := edr.As[edr.AlertNoter](t.Server)
		if err != nil {
			return AlertOutput{}, err
		}
		id, err := t.alert(p.Alert)
		if err != nil {
			return AlertOutput{}, err
		}
		if err := power.NoteAlert(ctx, id, t.note(p.Note)); err != nil {
			return AlertOutput{}, fmt.Errorf("write a note on alert %s: %w", id, err)
		}
		return AlertOutput{Alert: id}, nil
	},
})
