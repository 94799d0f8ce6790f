package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdTakesTheUnit has systemd itself read the unit. scripts/systemd-check.sh
// runs it.
func TestSystemdTakesTheUnit(t *testing.T) {
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here: apt-get install systemd")
	}
	data, err := os.ReadFile(filepath.Join(root, "deploy/systemd/edrpipe.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "edrpipe.service")
	text := strings.ReplaceAll(string(data), "/usr/local/bin/pipeline", "/bin/true") // the program need not be installed
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), path, "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "edrpipe.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
