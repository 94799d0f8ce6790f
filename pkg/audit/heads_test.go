package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestHeads(t *testing.T) {
	f := Heads(filepath.Join(t.TempDir(), "heads"))
	if heads, err := f.Read(); err != nil || len(heads) != 0 {
		t.Fatalf("of no file: %v, %v", heads, err)
	}
	for i := range maxHeads + 1 {
		h := Head{Seq: uint64(i + 1), Hash: fmt.Sprintf("%x", i)}
		if i < 3 || i > maxHeads-3 { // Note reads all of the file
			for range 2 {
				if err := f.Note(h); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		appendTo(t, string(f), h.String()+"\n")
	}
	heads, err := f.Read()
	if err != nil || len(heads) != maxHeads/2+1 || heads[0].Seq != 1 || heads[len(heads)-1].Seq != maxHeads+1 {
		t.Errorf("%d heads, %v", len(heads), err)
	}
	appendTo(t, string(f), "12:ab")
	if after, err := f.Read(); err != nil || len(after) != len(heads) {
		t.Errorf("with half a line: %d heads, %v", len(after), err)
	}
	appendTo(t, string(f), "\nnonsense\n")
	if _, err := f.Read(); err == nil {
		t.Error("nonsense is taken for a head")
	}
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
