package lines

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// payload is the event in a syslog message: the text from its first brace on. The
// event forwarder's header is neither of the two standard ones, so nothing before
// it is looked at. A message without a brace is left whole, for a decoder to
// refuse.
func payload(message []byte) []byte {
	if i := bytes.IndexByte(message, '{'); i > 0 {
		return message[i:]
	}
	return message
}

// maxCountDigits bounds the length in front of a counted frame.
const maxCountDigits = 9

// frames reads syslog messages from a stream: lines, and messages with their
// length in front (RFC 6587), told apart for each message by its first byte.
type frames struct {
	sc *scanner
}

func newFrames(r io.Reader, limit int) *frames { return &frames{newScanner(r, limit)} }

// next returns a message, io.EOF at the end of the stream.
func (f *frames) next() ([]byte, error) {
	n, counted, err := f.count()
	if err != nil {
		return nil, err
	}
	if counted {
		return f.counted(n)
	}
	text, _, err := f.sc.next()
	if errors.Is(err, io.EOF) {
		if text = f.sc.rest(); len(text) > 0 {
			return text, nil
		}
	}
	return text, err
}

// count looks for digits and a blank, which start a counted message; an event
// starts with a brace and a syslog line with an angle bracket.
func (f *frames) count() (n int, counted bool, err error) {
	for i := 1; i <= maxCountDigits+1; i++ {
		head, err := f.sc.r.Peek(i)
		if len(head) < i {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
				return 0, false, err
			}
			return 0, false, nil
		}
		switch c := head[i-1]; {
		case c >= '1' && c <= '9', c == '0' && i > 1:
			n = n*10 + int(c-'0')
		case c == ' ' && i > 1:
			_, err := f.sc.r.Discard(i)
			return n, true, err
		default:
			return 0, false, nil
		}
	}
	return 0, false, nil
}

// counted reads a message of n bytes; what is beyond the limit is cut off.
func (f *frames) counted(n int) ([]byte, error) {
	text := make([]byte, min(n, f.sc.limit))
	if _, err := io.ReadFull(f.sc.r, text); err != nil {
		return nil, fmt.Errorf("message of %d bytes: %w", n, noEOF(err))
	}
	if _, err := f.sc.r.Discard(n - len(text)); err != nil {
		return nil, fmt.Errorf("message of %d bytes: %w", n, noEOF(err))
	}
	return bytes.TrimRight(text, "\r\n"), nil
}

// noEOF makes the end of input inside a message an error.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
