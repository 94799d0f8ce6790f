package listsource

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// keep writes a list of c's origin as if it had been fetched.
func keep(t *testing.T, c Config, k kept) {
	t.Helper()
	k.Origin = open(c).origin()
	data, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, c.Name+".json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func entriesOf(values string) []Entry {
	var entries []Entry
	for _, v := range words(values) {
		entries = append(entries, Entry{Value: v})
	}
	return entries
}

// TestKeptIsHeldToTheSame as an answer: its entries, their number and its conditions.
func TestKeptIsHeldToTheSame(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.config(t, t.TempDir())
	long := strings.Repeat("x", maxCondition+1)
	keep(t, c, kept{Kind: "domain", ETag: long, Modified: long, Confirmed: time.Now(), Entries: entriesOf("a.example *.com com A.example http://x/ b.example")})
	source := open(c)
	if got := source.Values(); !slices.Equal(got, words("a.example b.example")) || source.have.ETag+source.have.Modified != "" {
		t.Errorf("read: %v, conditions %.10q %.10q", got, source.have.ETag, source.have.Modified)
	}
	keep(t, c, kept{Kind: "domain", Confirmed: time.Now(), Entries: entriesOf(good)})
	c.MaxEntries = 3
	if got := open(c).Values(); got != nil {
		t.Errorf("of a file with too many: %v", got)
	}
}

// TestWhatEndedIsNotLost: where nothing is in force any more, another list may come.
func TestWhatEndedIsNotLost(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.config(t, t.TempDir())
	c.MaxAge = 2 * time.Hour
	for age, taken := range map[time.Duration]bool{time.Hour: false, 3 * time.Hour: true} {
		keep(t, c, kept{Kind: "domain", Confirmed: time.Now().Add(-age), Entries: entriesOf("v.example w.example x.example y.example")})
		if err := open(c).refresh(t.Context()); (err == nil) != taken {
			t.Errorf("after %s: %v", age, err)
		}
	}
}
