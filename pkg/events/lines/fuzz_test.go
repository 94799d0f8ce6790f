package lines

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzFrames checks that framing ends, keeps its bound, and does not depend on
// how the stream is cut into reads.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("<6> 2024-09-05T08:53:22Z edr01 cb[1]: {\"a\":1}\n7 {\"a\":1}9 {\"a\":12}\n"))
	f.Add([]byte("999999999 x"))
	f.Add([]byte("12345678901 x\n0 \n"))
	const limit = 100
	read := func(r io.Reader) (out []string, err error) {
		fr := newFrames(r, limit)
		for {
			text, err := fr.next()
			if len(text) > limit {
				return out, errors.New("longer than the limit")
			}
			if err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					err = nil
				}
				return out, err
			}
			out = append(out, string(payload(text)))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err := read(bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := read(iotest.OneByteReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(whole, "\x00") != strings.Join(pieces, "\x00") {
			t.Fatalf("whole %q, in pieces %q", whole, pieces)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\n\nb"), 3)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		if limit < 1 || limit > 1<<16 {
			return
		}
		sc := newScanner(iotest.HalfReader(bytes.NewReader(in)), limit)
		var total int64
		var got [][]byte
		for {
			text, n, err := sc.next()
			total += n
			if err != nil {
				got = append(got, sc.rest())
				break
			}
			got = append(got, text)
		}
		if total != int64(len(in)) {
			t.Fatalf("consumed %d of %d bytes", total, len(in))
		}
		want := bytes.Split(in, []byte("\n"))
		if len(want) != len(got) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
		}
		for i := range want {
			cut := want[i][:min(len(want[i]), limit)]
			if !bytes.Equal(bytes.TrimSuffix(cut, []byte("\r")), got[i]) {
				t.Fatalf("line %d = %q, want %q", i, got[i], cut)
			}
		}
	})
}
