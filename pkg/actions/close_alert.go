package actions

import (
	"context"
	"errors"
	"fmt"

	"edrpipe/pkg/edr"
)

// CloseAlertParams are the parameters of close_alert.
type CloseAlertParams struct {
	Alert         string `json:"alert" doc:"id of the alert; default: the event's"`
	Reason        string `json:"reason" default:"RESOLVED" oneof:"RESOLVED,RESOLVED_BENIGN_KNOWN_GOOD,DUPLICATE_CLEANUP,OTHER,NO_REASON" doc:"why it is closed"`
	Determination string `json:"determination" oneof:"TRUE_POSITIVE,FALSE_POSITIVE,NONE" doc:"what it was; left alone where absent"`
	Note          string `json:"note" doc:"kept with the alert, after the job's id"`
}

// AlertOutput is the output of close_alert and note_alert.
type AlertOutput struct {
	Alert string `json:"alert"`
}

var _ = Register(Definition[CloseAlertParams, AlertOutput]{
	Is: Spec{
		Name:        "close_alert",
		Summary:     "Close the alert in the analysts' queue",
		Class:       Repeatable, // closing one that is closed does nothing
		Powers:      []edr.Power{edr.PowerClose},
		Destructive: true,
		Permissions: []string{permitAlerts},
	},
	Do: func(ctx context.Context, t *Task, p CloseAlertParams) (AlertOutput, error) {
		power, err := edr.As[edr.AlertCloser](t.Server)
		if err != nil {
			return AlertOutput{}, err
		}
		id, err := t.alert(p.Alert)
		if err != nil {
			return AlertOutput{}, err
		}
		how := edr.AlertClosing{Reason: p.Reason, Determination: p.Determination, Note: t.note(p.Note)}
		if err := power.CloseAlert(ctx, id, how); err != nil {
			return AlertOutput{}, fmt.Errorf("close alert %s: %w", id, err)
		}
		return AlertOutput{Alert: id}, nil
	},
})

// alert is the alert that a step is about.
func (t *Task) alert(given string) (string, error) {
	switch {
	case given != "":
		return given, nil
	case t.Event != nil && t.Event.Alert.ID != "":
		return t.Event.Alert.ID, nil
	}
	return "", errors.New("the step names no alert, and the job's event is of none")
}

// note is a text with the job that wrote it.
func (t *Task) note(text string) string {
	if text == "" {
		return ""
	}
	return "edrpipe job " + t.Job.ID + ": " + text
}
