package strictyaml_test

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"edrpipe/pkg/strictyaml"
)

// FuzzDecode: whatever the bytes, decoding ends, does not panic, and every
// problem lies inside the file.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/problems/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r recipe
		doc, err := strictyaml.Decode("x.yaml", data, &r)
		problems, _ := err.(strictyaml.Problems)
		for _, p := range problems {
			_ = p.Text()
			if p.Column > 0 && p.Column > utf8.RuneCountInString(p.Source)+2 {
				t.Errorf("column %d of a line with %d characters", p.Column, utf8.RuneCountInString(p.Source))
			}
		}
		if doc != nil {
			doc.Within("name", 3, 1, "")
			doc.At("steps[0].with.path", "")
		}
	})
}
