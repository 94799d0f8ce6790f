package audit

import (
	"bytes"
	"testing"
)

// FuzzBlock: a block behind the log's own changes none of its entries: it is part of the
// log with the right key and chain only, and else foreign or damage.
func FuzzBlock(f *testing.F) {
	key := []byte("a key that nobody else has")
	own, _, err := Entry{Seq: 1, Kind: "x"}.line(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(bytes.Clone(own), '\n'))
	f.Add([]byte("rubbish\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, block []byte) {
		s := &Memory{blocks: [][]byte{append(bytes.Clone(own), '\n'), block}}
		r, err := Verify(t.Context(), s, key)
		if err == nil && (r.Entries != 1 || len(r.Foreign) != 1) {
			t.Errorf("%q behind entry 1: %+v, want one foreign block", block, r)
		}
		if _, _, err := parse(key, bytes.TrimSuffix(block, []byte("\n"))); err == nil && !bytes.HasPrefix(block, own) {
			t.Errorf("%q is taken for an entry", block)
		}
	})
}
