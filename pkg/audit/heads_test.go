package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func openHeads(t testing.TB, name string) *Heads {
	t.Helper()
	f, err := OpenHeads(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func head(n int) Head { return Head{Seq: uint64(n), Hash: fmt.Sprintf("%064x", n)} }

func TestHeads(t *testing.T) {
	f := openHeads(t, filepath.Join(t.TempDir(), "heads"))
	if heads, err := f.Read(); err != nil || len(heads) != 0 {
		t.Fatalf("of no file: %v, %v", heads, err)
	}
	for n := range maxHeads {
		for range 2 { // a second time changes nothing
			if err := f.Note(head(n + 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if heads, err := f.Read(); err != nil || len(heads) != maxHeads {
		t.Fatalf("%d heads, %v; want %d", len(heads), err, maxHeads)
	}
	for n := maxHeads + 1; n <= maxHeads+3; n++ {
		if err := f.Note(head(n)); err != nil {
			t.Fatal(err)
		}
	}
	want := []Head{}
	for n := 1; n <= maxHeads; n += 2 {
		want = append(want, head(n))
	}
	want = append(want, head(maxHeads), head(maxHeads+1), head(maxHeads+2), head(maxHeads+3))
	if heads, err := f.Read(); err != nil || !slices.Equal(heads, want) {
		t.Errorf("%d heads, %v; want every second one of the first and the rest, %d", len(heads), err, len(want))
	}
}

func TestHeadsAfterACrash(t *testing.T) {
	name := filepath.Join(t.TempDir(), "heads")
	if err := os.WriteFile(name, []byte(head(1).String()+"\n"+"2:ab"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := openHeads(t, name)
	if err := f.Note(head(2)); err != nil {
		t.Fatal(err)
	}
	if heads, err := f.Read(); err != nil || !slices.Equal(heads, []Head{head(1), head(2)}) {
		t.Errorf("behind half a line: %v, %v", heads, err)
	}
	if err := os.WriteFile(name, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(); err == nil {
		t.Error("nonsense is taken for a head")
	}
	if f, err := OpenHeads(name); err == nil {
		t.Error("nonsense is opened", f.Close())
	}
}

// BenchmarkNote is what a block of the log costs more for being noted.
func BenchmarkNote(b *testing.B) {
	f := openHeads(b, filepath.Join(b.TempDir(), "heads"))
	n := 0
	for b.Loop() {
		n++
		if err := f.Note(head(n)); err != nil {
			b.Fatal(err)
		}
	}
}
