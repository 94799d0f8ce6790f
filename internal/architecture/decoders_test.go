package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// decoders are the files that decode state which replicas share, each with the fuzz target
// of its decoder.
var decoders = map[string]string{
	"pkg/seal/seal.go":                "pkg/seal FuzzOpen",
	"pkg/jobs/job/record.go":          "pkg/jobs/natsstore FuzzDecodeRecord", // jobs with questions, settlements, outcomes
	"pkg/jobs/job/tablerecord.go":     "pkg/jobs/natsstore FuzzDecodeTable",
	"pkg/guard/store.go":              "pkg/guard FuzzRecords", // switches, silences, budgets, quotas, breakers
	"rules/suppress.go":               "rules FuzzState",
	"rules/correlate.go":              "rules FuzzState",
	"internal/service/ledger.go":      "internal/service FuzzContainment",
	"internal/service/former.go":      "internal/service FuzzNames",
	"internal/intake/bounds.go":       "internal/intake FuzzCount",
	"pkg/directory/kept.go":           "pkg/directory FuzzTypes",
	"pkg/binaries/binaries.go":        "pkg/binaries FuzzDecode",
	"pkg/audit/entry.go":              "pkg/audit FuzzBlock",
	"pkg/events/jetstream/message.go": "pkg/events/jetstream FuzzSubject",
	"pkg/events/json.go":              "pkg/events FuzzJSON",
}

// TestDecodersOfSharedStateAreFuzzed: a file that decodes records strictly is in the list,
// and each target of the list exists.
func TestDecodersOfSharedStateAreFuzzed(t *testing.T) {
	const root = "../.."
	for file, target := range decoders {
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		dir, name, _ := strings.Cut(target, " ")
		if !declares(t, filepath.Join(root, dir), "func "+name+"(") {
			t.Errorf("%s has no fuzz target %s for %s", dir, name, file)
		}
	}
	for _, dir := range []string{"pkg", "internal", "rules"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err == nil && strings.Contains(string(text), "seal.Strict(") && decoders[filepath.ToSlash(name)] == "" {
				t.Errorf("%s decodes shared state, and no fuzz target is listed for it", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// declares reports whether a test file of a directory has a text.
func declares(t *testing.T, dir, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), text) {
			return true
		}
	}
	return false
}
