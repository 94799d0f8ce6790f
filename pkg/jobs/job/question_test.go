package job

import (
	"errors"
	"strings"
	"testing"

	"edrpipe/pkg/admission"
)

func TestQuestionTakesAnswersOfItsPeopleToItsCall(t *testing.T) {
	t.Parallel()
	yes := func(by string) admission.Answer { return admission.Answer{By: by, Allow: true} }
	for name, c := range map[string]struct {
		q       Question
		answers []admission.Answer
		refused string // why the last answer is not taken
		closed  bool
		granted bool
	}{
		"one yes":                   {Question{Require: 1}, []admission.Answer{yes("ann")}, "", true, true},
		"one of two":                {Question{Require: 2}, []admission.Answer{yes("ann")}, "", false, false},
		"two of two":                {Question{Require: 2}, []admission.Answer{yes("ann"), yes("bob")}, "", true, true},
		"the same person twice":     {Question{Require: 2}, []admission.Answer{yes("ann"), yes("ann")}, "answered already", false, false},
		"a no":                      {Question{Require: 2}, []admission.Answer{{By: "ann"}}, "", true, false},
		"after the end":             {Question{Require: 1}, []admission.Answer{yes("ann"), yes("bob")}, "decided already", true, true},
		"of nobody who was asked":   {Question{From: []string{"leads"}}, []admission.Answer{yes("ann")}, "may not answer", false, false},
		"of a group that was asked": {Question{From: []string{"leads"}}, []admission.Answer{{By: "ann", Groups: []string{"leads"}, Allow: true}}, "", true, true},
		"to another call":           {Question{Digest: "one"}, []admission.Answer{{By: "ann", Allow: true, Digest: "two"}}, "look at it again", false, false},
		"to this call":              {Question{Digest: "one"}, []admission.Answer{{By: "ann", Allow: true, Digest: "one"}}, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := c.q
			var err error
			for _, a := range c.answers {
				err = q.Take(a)
			}
			if c.refused == "" && err != nil || c.refused != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("error = %v, want %q", err, c.refused)
			}
			if q.Closed != c.closed || q.Granted != c.granted {
				t.Errorf("closed %v, granted %v; want %v, %v", q.Closed, q.Granted, c.closed, c.granted)
			}
		})
	}
}
