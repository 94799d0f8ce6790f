package events

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// units cuts text into lines, and keeps the lines of one JSON value together.
type units struct {
	in   *bufio.Reader
	most int // bytes of a unit

	text  []byte // the unit
	start int    // its first line
	cut   bool   // it is only the beginning of one line, which is longer than most

	line  int    // the line to come
	ahead []byte // it, once it has been read; nil when there is none
	long  bool   // ahead is only its beginning
	err   error
}

// next reads a unit that is not blank. A value that does not end within the
// limit is given in parts that end with lines: it is most likely a line that was
// cut short, and behind it stand whole ones.
func (u *units) next() bool {
	for u.peek() {
		u.text, u.start, u.cut = nil, u.line, u.long
		var open nesting
		for u.peek() && (u.text == nil || !u.long && len(u.text)+len(u.ahead) <= u.most) {
			open.feed(u.ahead)
			if u.text == nil {
				u.text = u.ahead
			} else {
				u.text = append(u.text, u.ahead...)
			}
			u.ahead = nil
			u.line++
			if u.cut || open.closed() {
				break
			}
		}
		if len(bytes.TrimSpace(u.text)) > 0 {
			return true
		}
	}
	if u.err == io.EOF {
		u.err = nil
	}
	return false
}

// peek reads the line to come, unless that is done already.
func (u *units) peek() bool {
	u.long = u.long && u.ahead != nil
	for u.ahead == nil && u.err == nil {
		u.err = u.readLine()
	}
	return u.ahead != nil
}

// readLine reads a line into ahead. Of one beyond the limit it keeps the
// beginning.
func (u *units) readLine() error {
	for {
		part, err := u.in.ReadSlice('\n')
		if u.long = u.long || len(u.ahead)+len(part) > u.most; u.long {
			part = part[:min(len(part), max(0, keptBytes-len(u.ahead)))]
			u.ahead = u.ahead[:min(len(u.ahead), keptBytes)]
		}
		u.ahead = append(u.ahead, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// nesting counts brackets that are open outside of strings.
type nesting struct {
	depth            int
	quoted, escaping bool
}

func (n *nesting) feed(text []byte) {
	for _, c := range text {
		switch {
		case n.escaping:
			n.escaping = false
		case n.quoted:
			n.escaping = c == '\\'
			n.quoted = c != '"'
		case c == '"':
			n.quoted = true
		case c == '{', c == '[':
			n.depth++
		case c == '}', c == ']':
			n.depth--
		}
	}
}

// closed reports whether a value may end here. A line break in a string is no
// JSON: such a line is broken, and stands for itself.
func (n *nesting) closed() bool { return n.depth <= 0 || n.quoted }
