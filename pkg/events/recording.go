package events

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/pierrec/lz4/v4"
)

// A Format is what a recorded file holds.
type Format string

// The formats.
const (
	FormatAuto      Format = "auto"      // told by what is there
	FormatBus       Format = "bus"       // captured bus messages, one Capture a line
	FormatForwarder Format = "forwarder" // what the event forwarder's outputs send: lines, arrays, posts, syslog
	FormatCloud     Format = "cbc"       // lines of the Carbon Black Cloud data forwarder
)

// Formats lists the formats.
var Formats = []Format{FormatAuto, FormatBus, FormatForwarder, FormatCloud}

// maxUnit bounds one line, or one JSON value that goes over several lines.
const maxUnit = 64 << 20

// A Recorded is a message out of a file.
type Recorded struct {
	Message
	Line int // on which it begins, from 1
}

// ReadRecording reads the messages of a file, plain or compressed with gzip or
// lz4. It holds one message at a time. A line that can not be a message is
// given as a *Reject beside the line; any other error ends the reading.
func ReadRecording(r io.Reader, format Format) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		in, err := decompress(bufio.NewReaderSize(r, 64<<10))
		if err != nil {
			yield(Recorded{}, err)
			return
		}
		if head, _ := in.Peek(512); format != FormatBus && len(head) > 0 && !isText(head) {
			body, err := io.ReadAll(io.LimitReader(in, maxUnit+1))
			if err == nil && len(body) > maxUnit {
				err = fmt.Errorf("a message of more than %d bytes", maxUnit)
			}
			yield(Recorded{Message: Message{Body: body, Transport: "file"}, Line: 1}, err)
			return
		}
		u := units{in: in, line: 1}
		for u.next() {
			msg, err := recordedMessage(u.text, format)
			if !yield(Recorded{Message: msg, Line: u.start}, err) {
				return
			}
		}
		if u.err != nil {
			yield(Recorded{Line: u.line}, u.err)
		}
	}
}

// isText tells text from a sensor bundle or a zip.
func isText(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) == 0 || looksLikeText(head) && !bytes.HasPrefix(head, []byte("PK\x03\x04"))
}

// decompress looks at the magic number and unpacks what is packed.
func decompress(in *bufio.Reader) (*bufio.Reader, error) {
	head, _ := in.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(z, 64<<10), nil
	case bytes.HasPrefix(head, []byte{0x04, 0x22, 0x4d, 0x18}):
		return bufio.NewReaderSize(lz4.NewReader(in), 64<<10), nil
	}
	return in, nil
}

func recordedMessage(text []byte, format Format) (Message, error) {
	captured := format == FormatBus || format == FormatAuto && bytes.Contains(text, []byte(`"body_b64"`))
	if !captured {
		return Message{Body: text, Transport: "file", ContentType: "application/json"}, nil
	}
	msg, err := ParseCapture(text)
	msg.Transport = "file"
	switch {
	case err == nil:
		return msg, nil
	case format == FormatAuto: // an event that only speaks of body_b64
		return recordedMessage(text, FormatForwarder)
	default:
		return msg, &Reject{Reason: BadEnvelope, Err: err, Data: text[:min(len(text), keptBytes)]}
	}
}

// units cuts text into lines, and keeps the lines of one JSON value together.
type units struct {
	in    *bufio.Reader
	text  []byte // the unit, valid until the next
	start int    // its first line
	line  int    // the line to come
	err   error
}

// next reads a unit that is not blank.
func (u *units) next() bool {
	for u.err == nil {
		u.text, u.start = nil, u.line
		var open nesting
		for {
			line, err := u.in.ReadSlice('\n')
			if len(u.text)+len(line) > maxUnit {
				u.err = fmt.Errorf("line %d: more than %d bytes without an end", u.start, maxUnit)
				return false
			}
			u.text = append(u.text, line...)
			open.feed(line)
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if u.line++; err != nil {
				u.err = err
				break
			}
			if open.closed() {
				break
			}
		}
		if len(bytes.TrimSpace(u.text)) > 0 {
			if u.err == io.EOF {
				u.err = nil
				u.in = bufio.NewReader(eof{})
			}
			return true
		}
	}
	if u.err == io.EOF {
		u.err = nil
	}
	return false
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

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
