package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// PublishParams are the parameters of publish.
type PublishParams struct {
	Subject BusSubject `json:"subject" required:"true" doc:"below the subject prefix of published results: letters, digits, - and _, parted by dots"`
	Body    any        `json:"body" doc:"any value; becomes JSON"`
}

// PublishOutput is the output of publish.
type PublishOutput struct {
	Subject string `json:"subject"`
}

// BusSubject is a subject without wildcards.
type BusSubject string

// UnmarshalText refuses what is not a plain subject.
func (s *BusSubject) UnmarshalText(b []byte) error {
	for token := range strings.SplitSeq(string(b), ".") {
		if token == "" || token != safeName(token) {
			return fmt.Errorf("%q is not a subject: want letters, digits, - and _, parted by dots", shorten(string(b)))
		}
	}
	*s = BusSubject(b)
	return nil
}

// MarshalText writes the subject.
func (s BusSubject) MarshalText() ([]byte, error) { return []byte(s), nil }

var _ = Register(Definition[PublishParams, PublishOutput]{
	Is: Spec{
		Name:    "publish",
		Summary: "Publish a message on the bus",
		Class:   Repeatable,
	},
	Do: func(ctx context.Context, t *Task, p PublishParams) (PublishOutput, error) {
		if t.Publish == nil {
			return PublishOutput{}, errors.New("publish: there is no bus")
		}
		if err := t.Publish(ctx, string(p.Subject), p.Body); err != nil {
			return PublishOutput{}, fmt.Errorf("publish on %s: %w", p.Subject, err)
		}
		return PublishOutput{Subject: string(p.Subject)}, nil
	},
})
