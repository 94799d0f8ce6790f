package guard

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/seal"
)

// switchWorld is a store that loses records of switches, and replicas with one data directory.
type switchWorld struct {
	*testing.T
	store *Memory
	file  string
	now   time.Time
	g     *Guard
}

func newSwitchWorld(t *testing.T) *switchWorld {
	w := &switchWorld{T: t, store: new(Memory), file: filepath.Join(t.TempDir(), "mark"), now: monday}
	w.restart(w.file)
	return w
}

// restart begins a replica with the mark in a file.
func (w *switchWorld) restart(file string) {
	w.Helper()
	mark, err := OpenMark(file)
	if err != nil {
		w.Fatal(err)
	}
	w.g = New(Config{Store: w.store, Mark: mark, Now: func() time.Time { w.now = w.now.Add(time.Second); return w.now }})
}

// kept is the record as it is stored now.
func (w *switchWorld) kept() []byte {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return bytes.Clone(w.store.kept[controlKey].value)
}

// putBack writes a record of before, as one that was never seen; nil removes it.
func (w *switchWorld) putBack(value []byte) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if value == nil {
		delete(w.store.kept, controlKey)
		return
	}
	w.store.kept[controlKey] = record{value, w.store.kept[controlKey].revision + 1}
}

func (w *switchWorld) want(what string, d admission.Decision) {
	w.Helper()
	s, err := w.g.Status(w.Context())
	if v := w.g.Admit(w.Context(), isolate(1, "Office")); err != nil || v.Decision != d || (s.Stopped != nil) != (d == admission.Hold) {
		w.Errorf("%s: %+v, status %+v, %v; want %v", what, v, s.Stopped, err, d)
	}
}

func (w *switchWorld) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// TestSwitchesThatVanishStopEverything: a stop whose record the bus has lost is not lifted
// by that, nor by a restart, nor by a silence that writes a new record: a person ends it.
func TestSwitchesThatVanishStopEverything(t *testing.T) {
	t.Parallel()
	w := newSwitchWorld(t)
	w.want("never switched", admission.Allow)
	w.restart(w.file)
	w.want("never switched, after a restart", admission.Allow)
	w.do(w.g.Stop(t.Context(), Area{}, "ann", "looks wrong"))
	w.want("stopped", admission.Hold)
	w.putBack(nil)
	w.want("lost", admission.Hold)
	w.restart(w.file)
	w.want("lost, after a restart", admission.Hold)
	w.do(w.g.AddSilence(t.Context(), Silence{ID: "quiet", Action: "nothing", Author: "ann", Comment: "tidy", Expires: w.now.Add(time.Hour)}))
	w.want("a silence wrote a new record", admission.Hold)
	w.do(w.g.Stop(t.Context(), Area{Server: "hq"}, "ann", "a part"))
	w.do(w.g.Resume(t.Context(), Area{Server: "hq"}, "ann", "a part"))
	w.want("a part is resumed", admission.Hold)
	w.do(w.g.Resume(t.Context(), Area{}, "ann", "checked"))
	w.want("resumed", admission.Allow)
}

// TestSwitchesOfBeforeStopEverything: a record of switches from before a stop, which
// verifies as well, lifts nothing when it is put back.
func TestSwitchesOfBeforeStopEverything(t *testing.T) {
	t.Parallel()
	w := newSwitchWorld(t)
	w.do(w.g.SetDryRun(t.Context(), Area{}, true, "ann", "a drill"))
	w.do(w.g.SetDryRun(t.Context(), Area{}, false, "ann", "enough"))
	before := w.kept()
	w.do(w.g.Stop(t.Context(), Area{}, "ann", "looks wrong"))
	w.putBack(before)
	w.want("put back", admission.Hold)
	w.restart(w.file)
	w.want("put back, after a restart", admission.Hold)
	if _, err := w.g.control(t.Context()); !errors.Is(err, seal.ErrForeign) || !strings.Contains(err.Error(), "put back") {
		t.Errorf("the record is %v, want one that was put back", err)
	}
	w.do(w.g.Resume(t.Context(), Area{}, "ann", "checked"))
	w.want("resumed", admission.Allow)
	for range 3 {
		w.do(w.g.SetDryRun(t.Context(), Area{}, true, "ann", "a drill"))
		w.do(w.g.SetDryRun(t.Context(), Area{}, false, "ann", "enough"))
	}
	w.putBack(before)
	w.want("put back again", admission.Hold)
	w.restart(filepath.Join(t.TempDir(), "new")) // it cannot know, and what it writes counts for the others
	w.do(w.g.Stop(t.Context(), Area{}, "bob", "another replica"))
	w.do(w.g.Resume(t.Context(), Area{}, "bob", "another replica"))
	w.restart(w.file)
	w.want("resumed by a replica that had seen less", admission.Allow)
}

// TestAnOldFollowerIsNoRollback: what a follower of the bus has not yet heard of makes a
// step wait and is no foreign record.
func TestAnOldFollowerIsNoRollback(t *testing.T) {
	t.Parallel()
	m := new(Mark)
	for revision, serial := range []int64{0, 7, 9} {
		if err := m.raise(serial, uint64(revision)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.judge(control{Serial: 7}, 1); !errors.Is(err, errOlder) {
		t.Errorf("a revision of before: %v, want errOlder", err)
	}
	if err := m.judge(control{Serial: 7}, 3); !errors.Is(err, seal.ErrForeign) {
		t.Errorf("a new revision of an older record: %v, want ErrForeign", err)
	}
	if err := m.judge(control{Serial: 10}, 4); err != nil {
		t.Errorf("a newer record: %v", err)
	}
}

// TestAMarkThatCannotBeReadIsNamed: a replica does not begin with a mark that is none.
func TestAMarkThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mark")
	for _, text := range []string{"", "x", "-1", "7 8"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenMark(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDroppedSwitchesStopEverything: a record of switches that never verified here, and was
// dropped, may have held a stop.
func TestDroppedSwitchesStopEverything(t *testing.T) {
	t.Parallel()
	w := newSwitchWorld(t)
	w.store.kept = map[string]record{controlKey: {[]byte("noise"), 1}}
	w.want("noise", admission.Hold)
	w.putBack(nil)
	w.want("dropped", admission.Hold)
	w.restart(w.file)
	w.want("dropped, after a restart", admission.Hold)
	w.do(w.g.Resume(t.Context(), Area{}, "ann", "checked"))
	w.want("resumed", admission.Allow)
}
