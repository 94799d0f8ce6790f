package demo

import (
	"testing"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/rules"
)

// TestTheQuestionIsAsked: the rule of the tour compiles, and its last
// step asks people about the event.
func TestTheQuestionIsAsked(t *testing.T) {
	t.Parallel()
	set, err := rules.LoadText("question.yaml", QuestionRule)
	if err != nil {
		t.Fatal(err)
	}
	message := Question(time.Now())
	found, rejects := new(events.Decoder).Decode(&message)
	if len(found) != 1 || len(rejects) != 0 {
		t.Fatalf("the message has %d events and %d rejects", len(found), len(rejects))
	}
	matches, failures := set.Match(found[0])
	if len(matches) != 1 || len(failures) != 0 {
		t.Fatalf("%d matches, %d failures", len(matches), len(failures))
	}
	if steps := matches[0].Rule.Steps; steps[len(steps)-1].Approval == nil {
		t.Errorf("the last of %d steps asks nobody", len(steps))
	}
}
