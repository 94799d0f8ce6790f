package job

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
)

// TestFit: an event that is too large is cut in its job's record, and says so; what
// the job does is never cut.
func TestFit(t *testing.T) {
	t.Parallel()
	event := func(bytes int) *events.Event {
		e := new(events.Event)
		e.Process.Name, e.Process.CommandLine = "drop.exe", strings.Repeat("\x01", bytes)
		return e
	}
	for name, tc := range map[string]struct {
		job  *Job
		fits bool
		cut  bool
	}{
		"small":       {&Job{ID: "a", Event: event(1000)}, true, false},
		"large":       {&Job{ID: "a", Event: event(200_000)}, true, true},
		"no event":    {&Job{ID: "a"}, true, false},
		"large steps": {&Job{ID: "a", Event: event(10), Steps: []actions.Step{{ID: strings.Repeat("x", MaxRecord)}}}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Fit(tc.job); got != tc.fits || (len(tc.job.Clipped) > 0) != tc.cut && tc.fits {
				t.Fatalf("fits: %v, cut: %v; want %v, %v", got, tc.job.Clipped, tc.fits, tc.cut)
			}
			data, err := Encode(tc.job)
			if tc.fits != (err == nil) || !tc.fits && !errors.Is(err, ErrTooLarge) {
				t.Fatal(err)
			}
			if !tc.fits {
				return
			}
			back := new(Job)
			if err := json.Unmarshal(data, back); err != nil {
				t.Fatal(err)
			}
			if tc.cut && !strings.HasSuffix(back.Event.Process.CommandLine, "bytes]") {
				t.Errorf("the command line bears no mark: %.40q", back.Event.Process.CommandLine)
			}
		})
	}
}

// TestEncodeKeepsMarkup: a character of a command line is one byte of a record.
func TestEncodeKeepsMarkup(t *testing.T) {
	t.Parallel()
	e := new(events.Event)
	e.Process.CommandLine = "cmd /c a&b<c>d"
	data, err := Encode(&Job{ID: "a", Event: e})
	if err != nil || !strings.Contains(string(data), e.Process.CommandLine) {
		t.Errorf("%s, %v", data, err)
	}
}
