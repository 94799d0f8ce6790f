package demo

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFleetCanBeSimulated(t *testing.T) {
	if err := (edrsim.Config{Fleet: Fleet()}).Validate(); err != nil {
		t.Error(err)
	}
}

// TestStoryIsWhatAnEDRSends: every message but the broken one is decoded without a
// flaw, and each event but the nameless one has its sensor.
func TestStoryIsWhatAnEDRSends(t *testing.T) {
	var sensors []string
	broken := 0
	for _, b := range Story(time.Now(), guid(Ann, 4711)) {
		found, rejects := new(events.Decoder).Decode(&b.Message)
		broken += len(rejects)
		for _, e := range found {
			sensors = append(sensors, e.Sensor.ID)
			if e.Event.Kind == events.Other || e.Event.Time.IsZero() {
				t.Errorf("%s: kind %s, time %v", b.Caption, e.Event.Kind, e.Event.Time)
			}
		}
	}
	want := []int{Ann, Bob, Bob, Carol, DB, Dan, Eve, Slow, Bob, 0}
	if len(sensors) != len(want) || broken != 1 {
		t.Fatalf("sensors %v and %d broken, want %v and 1", sensors, broken, want)
	}
	for i := range want {
		id := strconv.Itoa(want[i])
		if want[i] == 0 {
			id = ""
		}
		if sensors[i] != id {
			t.Errorf("event %d is of sensor %q, want %q", i, sensors[i], id)
		}
	}
}

func TestNarratorTellsWhatTheBusSays(t *testing.T) {
	var out bytes.Buffer
	n := &Narrator{Screen: &Screen{Out: &out, Start: time.Now()}}
	hear := func(typ string, data any) {
		t.Helper()
		b, err := json.Marshal(map[string]any{"type": typ, "data": data})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Hear(b); err != nil {
			t.Fatal(err)
		}
	}
	hear("edrpipe.job.transition.v1", jobs.TransitionNotice{Job: "j1", Rule: "r", Host: "H", State: jobs.Queued})
	hear("edrpipe.job.transition.v1", jobs.TransitionNotice{Job: "j1", Host: "H", State: jobs.Parked, Reason: jobs.ReasonOffline})
	hear("edrpipe.job.step.v1", jobs.StepNotice{Job: "j1", Uses: "get_file", State: jobs.StepOK, Output: json.RawMessage(`{"artifact":{"path":"c:\\x","size":3,"sha256":"0123456789abcdef"}}`)})
	hear("edrpipe.job.result.v1", jobs.ResultNotice{Job: "j1", Rule: "r", Host: "H", State: jobs.Succeeded})
	hear("edrpipe.decision.v1", Decision{Rule: "r", Reason: "no_sensor"})
	for _, want := range []string{"rule r wants job j1 on H", "job j1 on H: offline", `took c:\x, 3 bytes, SHA-256 0123456789ab…`, "job j1 (r) on H succeeded", "rule r: no_sensor"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not told: %q in\n%s", want, out.String())
		}
	}
	if n.Begun() != 1 || n.Ended() != 1 || n.Refused != 1 {
		t.Errorf("counted %d begun, %d ended, %d refused, want one each", n.Begun(), n.Ended(), n.Refused)
	}
	if err := n.Hear([]byte("{")); err == nil {
		t.Error("a broken notice was taken")
	}
}
