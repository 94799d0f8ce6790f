//go:build linux

package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edrpipe/internal/testproc"
)

// process is one that faults befall: a bus node or a replica.
type process struct {
	*testproc.Process
	name string
}

// named has the log of a process kept where CHAOS_LOGS says, when the test fails.
func named(t testing.TB, name string, v *testproc.Process) *process {
	p := &process{v, name}
	t.Cleanup(func() {
		if dir := os.Getenv("CHAOS_LOGS"); t.Failed() && dir != "" {
			p.Kill() // with it the log is whole
			p.keepLog(t, dir)
		}
	})
	return p
}

func (p *process) keepLog(t testing.TB, dir string) {
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-"+p.name+".log"), []byte(p.Tail(10<<20)), 0o600); err != nil {
		t.Log(err)
	}
}
