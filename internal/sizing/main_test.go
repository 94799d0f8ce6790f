package main

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPageIsCurrent: nobody edits the page by hand, and new costs make a new page.
func TestPageIsCurrent(t *testing.T) {
	var want strings.Builder
	if err := run("../../docs/measured.json", &want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/sizing.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Error("docs/sizing.md is not what the measured costs say: run go run ./internal/sizing > docs/sizing.md")
	}
}

func TestNothingIsEstimated(t *testing.T) {
	if _, err := render(nil); err == nil || !strings.Contains(err.Error(), "events settled") {
		t.Errorf("without a measured cost there is a page: %v", err)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 1.5: "1.5", 0.0123: "0.0123", 29218: "29,200", 1234567: "1,230,000", 999.6: "1,000"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}
