package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edrpipe/rules"
)

const sigmaFixtures = "../../rules/sigma/testdata"

func TestRulesImportSigma(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sigma.yaml")
	var out, errs bytes.Buffer
	args := []string{"rules", "import", "sigma", sigmaFixtures, "--out", file}
	if status := run(t.Context(), args, nil, &out, &errs); status != exitOK {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	set, err := rules.Load(file)
	if err != nil {
		t.Fatalf("what was written does not load: %v", err)
	}
	if !strings.Contains(out.String(), "77 converted, 54 refused") || set.Len() != 77 {
		t.Errorf("loaded %d rules; table:\n%s", set.Len(), out.String())
	}
	for _, u := range set.Unindexed() {
		t.Errorf("rule %s runs for every event: %s", u.Rule.ID, u.Why)
	}
	if status := run(t.Context(), args, nil, &out, &errs); status != exitFailure || !strings.Contains(errs.String(), "--force") {
		t.Errorf("second import: status %d, %s; want a refusal to replace the file", status, errs.String())
	}
}

func TestRulesImportSigmaRefusesAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sigma.yaml")
	var out, errs bytes.Buffer
	args := []string{"rules", "import", "sigma", sigmaFixtures + "/refused.yml", "--out", file}
	if status := run(t.Context(), args, nil, &out, &errs); status != exitFailure {
		t.Errorf("status %d, want %d", status, exitFailure)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file without rules was written")
	}
}
