package rules

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func oneRule(id string) string {
	return "rules:\n  - { id: " + id + ", on: registry, when: true, steps: [ { uses: isolate } ] }\n"
}

// liveDir is a directory of rules being watched; wait returns the first change
// that is as wanted: files written in place may be seen half-written before.
func liveDir(t *testing.T) (dir string, live *Live, wait func(wanted func(LiveState) bool) LiveState) {
	t.Helper()
	dir = t.TempDir()
	put(t, filepath.Join(dir, "a.yaml"), oneRule("a"))
	changes := make(chan LiveState, 10)
	live, err := NewLive(LiveConfig{
		Paths: []string{dir}, Settle: 20 * time.Millisecond, Poll: 200 * time.Millisecond,
		Changed: func(s LiveState) { changes <- s },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- live.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return dir, live, func(wanted func(LiveState) bool) LiveState {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for {
			select {
			case s := <-changes:
				if wanted(s) {
					return s
				}
			case <-deadline:
				t.Fatalf("the change was not seen; state = %+v", live.State())
			}
		}
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ids(s *Set) string { return strings.Join(s.ids(), " ") }

func TestWatch(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string
	}{
		{"written in place", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "a.yaml"), oneRule("b"))
		}, "b"},
		{"renamed over", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, ".a.yaml.swp"), oneRule("b"))
			if err := os.Rename(filepath.Join(dir, ".a.yaml.swp"), filepath.Join(dir, "a.yaml")); err != nil {
				t.Fatal(err)
			}
		}, "b"},
		{"a new file", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "b.yaml"), oneRule("b"))
		}, "a b"},
		{"a new directory", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "more"), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, "more", "b.yaml"), oneRule("b"))
		}, "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, live, wait := liveDir(t)
			tt.change(t, dir)
			wait(func(s LiveState) bool { return s.Rejected == nil })
			if got := ids(live.Set()); got != tt.want {
				t.Errorf("rules = %s, want %s", got, tt.want)
			}
		})
	}
}

// TestWatchConfigMap swaps the ..data link as the kubelet does.
func TestWatchConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(n int, text string) {
		real := filepath.Join(dir, fmt.Sprintf("..version%d", n))
		if err := os.Mkdir(real, 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(real, "rules.yaml"), text)
		link := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(filepath.Base(real), link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version(1, oneRule("a"))
	if err := os.Symlink(filepath.Join("..data", "rules.yaml"), filepath.Join(dir, "rules.yaml")); err != nil {
		t.Fatal(err)
	}
	changes := make(chan LiveState, 10)
	live, err := NewLive(LiveConfig{Paths: []string{dir}, Settle: 10 * time.Millisecond, Changed: func(s LiveState) { changes <- s }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- live.Watch(ctx) }()
	version(2, oneRule("b"))
	<-changes
	if got := ids(live.Set()); got != "b" {
		t.Errorf("rules = %s, want b", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRejected: whatever happens to the files, the last good set stays, and
// what is wrong can be seen.
func TestRejected(t *testing.T) {
	good := oneRule("a")
	tests := []struct {
		name, text, want string
	}{
		{"empty", "", "the file is empty"},
		{"half a rule", good[:len(good)-20], "not valid YAML"},
		{"no rules", "rules: []\n", "there are no rules"},
		{"one good and one bad rule", good + "  - { id: b, on: nothing, when: true, steps: [ { uses: isolate } ] }\n", "names no event type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, live, wait := liveDir(t)
			before := live.Set()
			put(t, filepath.Join(dir, "a.yaml"), tt.text)
			s := wait(func(s LiveState) bool {
				return s.Rejected != nil && strings.Contains(s.Rejected.Problems.Error(), tt.want)
			})
			if live.Set() != before || s.Rules != 1 {
				t.Error("the set was replaced")
			}
			put(t, filepath.Join(dir, "a.yaml"), good)
			wait(func(s LiveState) bool { return s.Rejected == nil })
		})
	}
	t.Run("all files gone", func(t *testing.T) {
		dir, live, wait := liveDir(t)
		if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
			t.Fatal(err)
		}
		if wait(func(s LiveState) bool { return s.Rejected != nil }); live.Set().Len() != 1 {
			t.Errorf("%d rules, want the one of before", live.Set().Len())
		}
	})
}

// TestListChange: a list is part of the set.
func TestListChange(t *testing.T) {
	dir, live, wait := liveDir(t)
	if err := os.Mkdir(filepath.Join(dir, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "lists", "known.txt"), "x\n")
	wait(func(LiveState) bool { return live.Set().Source().Lists.Has("known", "X") })
}

// TestListShrinks: a list that is emptied, or loses most of its entries, stays as it
// was, and the state says why.
func TestListShrinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.yaml"), oneRule("a"))
	known := filepath.Join(dir, "lists", "known [1].txt")
	if err := os.Mkdir(filepath.Dir(known), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, known, "a\nb\nc\nd\ne\nf\n")
	live, err := NewLive(LiveConfig{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"emptied", "", "the list is empty"},
		{"comments only", "# gone\n", "the list is empty"},
		{"cut short", "a\nb\n", "the list has 2 entries, and had 6: more than 50% are gone"},
		{"one is left", "a\n", "the list has 1 entry, and had 6: more than 50% are gone"},
	} {
		put(t, known, tt.text)
		if err := live.Reload(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: err = %v, want %q", tt.name, err, tt.want)
		}
		if live.State().Rejected == nil || !live.Set().Source().Lists.Has("known [1]", "f") {
			t.Errorf("%s: the list is not as it was: %+v", tt.name, live.State())
		}
	}
	put(t, known, "a\nb\nc\nx\n")
	if err := live.Reload(); err != nil || !live.Set().Source().Lists.Has("known [1]", "x") || live.State().Rejected != nil {
		t.Errorf("half of it is there: %v, %+v", err, live.State())
	}
}

// TestRejectedSince: the time of a mistake is that at which it was made, however often
// the files are read again, until they are good.
func TestRejectedSince(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.yaml")
	put(t, file, oneRule("a"))
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	live, err := NewLive(LiveConfig{Paths: []string{file}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text  string
		since int // minutes; 0: it is good
	}{{"rules: 1\n", 1}, {"rules: 1\n", 1}, {"\nrules: 2\n", 1}, {oneRule("b"), 0}, {"rules: 1\n", 5}} {
		now = now.Add(time.Minute)
		put(t, file, tt.text)
		_ = live.Reload()
		r := live.State().Rejected
		switch {
		case (r == nil) != (tt.since == 0):
			t.Errorf("%q: rejected = %+v", tt.text, r)
		case r != nil && r.At.Minute() != tt.since:
			t.Errorf("%q: since %s, want minute %d", tt.text, r.At, tt.since)
		}
	}
}

// TestValuesFromElsewhere come into force at a load. Their loss makes no change of the
// files suspicious, and what no list can have makes none a mistake.
func TestValuesFromElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.yaml"), oneRule("a"))
	if err := os.Mkdir(filepath.Join(dir, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "lists", "bad.txt"), "# type: domain\n# empty: ok\n")
	elsewhere := map[string][]string{"bad": {"a.example", "b.example", "c.example", "d.example", "no domain"}, "unknown": {"x"}}
	live, err := NewLive(LiveConfig{Paths: []string{dir}, Elsewhere: func() map[string][]string { return elsewhere }})
	if err != nil {
		t.Fatal(err)
	}
	lists := func() *Lists { return live.Set().Source().Lists }
	if !lists().Has("bad", "A.example") || lists().Has("unknown", "x") {
		t.Error("values are not in the list, or made one")
	}
	before := live.State().Digest
	elsewhere = nil
	if err := live.Reload(); err != nil || lists().Has("bad", "a.example") || live.State().Digest == before {
		t.Errorf("without the values: %v", err)
	}
}

// TestWatchFiles calls at the beginning, and again for each change.
func TestWatchFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a_test.yaml")
	put(t, file, "tests: []")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls := 0
	err := WatchFiles(ctx, []string{dir}, func() {
		if calls++; calls == 1 {
			put(t, file, "tests: [] # changed")
			return
		}
		cancel()
	})
	if err != nil || calls != 2 {
		t.Errorf("%d calls, %v; want 2", calls, err)
	}
}
