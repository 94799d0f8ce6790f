package lines

import (
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// Handlers settle in any order, and what was settled later may be told of earlier:
// the remembered place goes forward only, in memory and in the file.
func TestThePlaceNeverGoesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		m := &memory{file: filepath.Join(dir, "place"), of: "events.json"}
		var highest uint64
		for i, key := range rapid.SliceOfN(rapid.Uint64Range(1, 20), 1, 30).Draw(t, "settled") {
			m.move(key, place{offset: int64(key) * 100, prefix: new(prefix)})
			highest = max(highest, key)
			if i%3 != 0 {
				continue
			}
			if err := m.save(); err != nil {
				t.Fatal(err)
			}
			was, err := load(m.file)
			if err != nil {
				t.Fatal(err)
			}
			if want := int64(highest) * 100; was.Offset != want || was.File != "events.json" {
				t.Fatalf("remembered byte %d of %s, want %d of events.json", was.Offset, was.File, want)
			}
		}
	})
}
