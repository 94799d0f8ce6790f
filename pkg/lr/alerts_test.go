package lr_test

import (
	"errors"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

func TestCloseAlert(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status string
		how    edr.AlertClosing
		want   string
	}{
		"resolved":                {"Unresolved", edr.AlertClosing{Reason: "RESOLVED"}, "Resolved"},
		"resolved by default":     {"Unresolved", edr.AlertClosing{}, "Resolved"},
		"in progress":             {"In Progress", edr.AlertClosing{}, "Resolved"},
		"false positive":          {"Unresolved", edr.AlertClosing{Determination: "FALSE_POSITIVE"}, "False Positive"},
		"known good":              {"Unresolved", edr.AlertClosing{Reason: "RESOLVED_BENIGN_KNOWN_GOOD"}, "False Positive"},
		"true positive":           {"Unresolved", edr.AlertClosing{Determination: "TRUE_POSITIVE", Reason: "OTHER"}, "Resolved"},
		"a person's false one":    {"False Positive", edr.AlertClosing{}, "False Positive"},
		"a person's resolved one": {"Resolved", edr.AlertClosing{Determination: "FALSE_POSITIVE"}, "Resolved"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := simulate(t, edrsim.Config{})
			const id = "48abbbc8/9133?x=1" // characters that an address has a meaning for
			for _, other := range []string{id + "-2", "48abbbc8"} {
				if err := sim.AddAlert(other, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := sim.AddAlert(id, map[string]any{"status": tc.status}); err != nil {
				t.Fatal(err)
			}
			if err := dial(t, sim).CloseAlert(t.Context(), id, tc.how); err != nil {
				t.Fatal(err)
			}
			if got := sim.Alert(id)["status"]; got != tc.want {
				t.Errorf("status %v, want %s", got, tc.want)
			}
			if got := sim.Alert("48abbbc8")["status"]; got != "Unresolved" {
				t.Errorf("another alert is %v", got)
			}
		})
	}
}

func TestCloseAlertThatIsMissing(t *testing.T) {
	t.Parallel()
	sim := simulate(t, edrsim.Config{})
	if err := dial(t, sim).CloseAlert(t.Context(), "none", edr.AlertClosing{}); !errors.Is(err, lr.ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
}
