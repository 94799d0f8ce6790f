package printable

import (
	"bytes"
	"io"
	"regexp"
	"unicode/utf8"
)

// Writer filters a program's output for people like Text. It is the last line of defence
// behind Line and Text, which also have the bounds of a single value.
type Writer struct {
	// Out takes the text, and as it stands what is not text: files, bars that a
	// program draws itself.
	Out io.Writer

	// Colors lets the sequences pass that set and reset a color.
	Colors bool

	rest []byte // the begin of a character or sequence that is not complete
}

// colors are the sequences that set bold or one of the sixteen colors, and that end
// it.
var colors = regexp.MustCompile(`^\x1b\[(?:0|1|3[0-7]|9[0-7])?m`)

// longest is the length of the longest sequence of a color.
const longest = len("\x1b[97m")

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	if len(w.rest) == 0 && utf8.Valid(p) && plain(p) {
		return w.Out.Write(p)
	}
	in := append(w.rest, p...)
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if w.Colors && in[0] == '\x1b' {
			if found := colors.Find(in); found != nil {
				out, in = append(out, found...), in[len(found):]
				continue
			}
			if len(in) < longest && len(p) > 0 && !complete(in) {
				break
			}
		}
		if in[0] == '\r' && (len(in) > 1 && in[1] == '\n' || len(in) == 1 && len(p) > 0) {
			if len(in) == 1 {
				break
			}
			in = in[1:]
		}
		if !utf8.FullRune(in) && len(p) > 0 {
			break
		}
		_, n := utf8.DecodeRune(in)
		out, in = append(out, Text(string(in[:n]))...), in[n:]
	}
	w.rest = append([]byte(nil), in...)
	if _, err := w.Out.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// plain reports whether the text needs no escaping.
func plain(p []byte) bool {
	return !bytes.ContainsFunc(p, func(r rune) bool { return !Rune(r) && r != '\n' && r != '\t' })
}

// complete reports whether the begin of a sequence cannot become a color's.
func complete(in []byte) bool {
	for i, c := range in {
		switch {
		case i == 0, i == 1 && c == '[', i > 1 && c >= '0' && c <= '9':
		default:
			return true
		}
	}
	return false
}

// Flush writes what is left of a character that did not become complete.
func (w *Writer) Flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	_, err := w.Write(nil)
	return err
}

// Fd returns the descriptor of Out, so that a program finds out about its
// terminal; ^0 where there is none.
func (w *Writer) Fd() uintptr {
	if f, ok := w.Out.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}
