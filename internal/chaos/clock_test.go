//go:build linux

package chaos

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edrpipe/internal/testproc"
)

// clockSuffix makes the name of a replica's clock of that of its configuration.
const clockSuffix = ".clock"

// wallClock is that of one replica: the machine's, and how far it is off. It stays
// off when the replica is killed and started again, as a machine's clock does.
type wallClock struct{ file string }

// set makes the clock wrong by so much, in whole seconds; 0 makes it right.
func (c wallClock) set(off time.Duration) error {
	f, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(int64(off/time.Second))), 0) // all at once: it is read meanwhile
	return err
}

// tellTime is a process that says when it has begun to look at its clock, and then
// by how much the clock was set while it looked and how long that took.
func tellTime(_ context.Context, file string) error {
	if err := shiftOwnClock(file); err != nil {
		return err
	}
	begun := time.Now()
	fmt.Println("looking")
	for now := range time.Tick(time.Millisecond) {
		if set := now.Round(0).Sub(begun.Round(0)); set.Abs() > time.Hour { // without its monotonic reading
			fmt.Println(set.Round(time.Minute), now.Sub(begun) < time.Hour)
			break
		}
	}
	return nil
}

// TestClockOfAnotherProcess: the harness can set the wall clock of a process, and
// only that.
func TestClockOfAnotherProcess(t *testing.T) {
	if !clocksCanShift {
		t.Skip("the clock of a process cannot be set on this architecture")
	}
	clock := wallClock{filepath.Join(t.TempDir(), "clock")}
	for _, off := range []time.Duration{2 * time.Hour, -3 * time.Hour} {
		if err := clock.set(0); err != nil {
			t.Fatal(err)
		}
		child := testproc.Command(clockRole, clock.file)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		if err := clock.set(off); err != nil {
			t.Fatal(err)
		}
		lines.Scan()
		if got, want := lines.Text(), fmt.Sprint(off, " true"); got != want {
			t.Errorf("the process saw its clock set by %q, want %q: so far, and monotonic time goes on", got, want)
		}
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}
}
