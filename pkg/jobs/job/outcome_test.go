package job

import (
	"strings"
	"testing"
)

func TestOutcomeSaysWhetherAnythingWasDone(t *testing.T) {
	ok := StepRecord{ID: "a", Uses: "kill_process", State: StepOK}
	shadow := StepRecord{ID: "b", Uses: "isolate", State: StepSkipped, Reason: ReasonShadow, Error: "breaker: 3 jobs in 10m"}
	skipped := StepRecord{ID: "c", Uses: "get_file", State: StepSkipped, Reason: ReasonCondition, Error: "sensor.os == windows is false"}
	item := func(r StepRecord, n int) StepRecord { r.Item = n; return r }
	whole := func(r StepRecord) StepRecord { r.State, r.Reason, r.Error = StepOK, "", ""; return r }
	for name, c := range map[string]struct {
		done   []StepRecord
		want   State
		detail string
	}{
		"all ran":                       {[]StepRecord{ok}, Succeeded, ""},
		"one ran, one condition":        {[]StepRecord{ok, skipped}, Succeeded, ""},
		"one ran, one recorded":         {[]StepRecord{ok, shadow}, Succeeded, "1 were only recorded: breaker"},
		"all recorded":                  {[]StepRecord{shadow}, Shadowed, "breaker: 3 jobs"},
		"one recorded, one condition":   {[]StepRecord{skipped, shadow}, Shadowed, "breaker"},
		"all conditions":                {[]StepRecord{skipped}, Skipped, "sensor.os"},
		"items all recorded":            {[]StepRecord{item(shadow, 1), item(shadow, 2), whole(shadow)}, Shadowed, "breaker"},
		"one item ran":                  {[]StepRecord{item(shadow, 1), item(ok, 2), whole(shadow)}, Succeeded, ""},
		"a foreach of nothing":          {[]StepRecord{whole(skipped)}, Succeeded, ""},
		"parallel, all recorded":        {[]StepRecord{shadow, {ID: "p", State: StepOK}}, Shadowed, "breaker"},
		"a failure that was let pass":   {[]StepRecord{{ID: "a", Uses: "run", State: StepFailed}}, Succeeded, ""},
		"no record (an empty parallel)": {nil, Skipped, "anything to act on"},
		"dry run without words":         {[]StepRecord{{ID: "a", Uses: "run", State: StepSkipped, Reason: ReasonShadow}}, Shadowed, "submitted as a dry run"},
	} {
		if got := (&Job{Done: c.done}).Outcome(); got.To != c.want || !strings.Contains(got.Detail, c.detail) {
			t.Errorf("%s: %+v, want %s with %q", name, got, c.want, c.detail)
		}
	}
	if got := (&Job{Rule: "r", Done: []StepRecord{{ID: "a", Uses: "run", State: StepSkipped, Reason: ReasonShadow}}}).Outcome(); !strings.Contains(got.Detail, "rule is in shadow mode") {
		t.Errorf("shadow mode of a rule: %+v", got)
	}
}
