package events

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/pierrec/lz4/v4"
)

// A Format is what a recorded file holds.
type Format string

// The formats.
const (
	FormatAuto      Format = "auto"      // detected from the content
	FormatBus       Format = "bus"       // captured bus messages, one Capture a line
	FormatForwarder Format = "forwarder" // what the event forwarder's outputs send: lines, arrays, posts, syslog
	FormatCloud     Format = "cbc"       // lines of the Carbon Black Cloud data forwarder
)

// Formats lists the formats.
var Formats = []Format{FormatAuto, FormatBus, FormatForwarder, FormatCloud}

// maxUnit bounds what is held at once: one line, or the lines of one JSON value.
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
		if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
			in.Discard(len(byteOrderMark)) // it has just been peeked at
		}
		if head, _ := in.Peek(512); format != FormatBus && len(head) > 0 && !isText(head) {
			var whole Message
			if whole, in, err = binaryMessage(in); in == nil {
				yield(Recorded{Message: whole, Line: 1}, err)
				return
			}
		}
		readUnits(in, format, yield)
	}
}

// readUnits reads text.
func readUnits(in *bufio.Reader, format Format, yield func(Recorded, error) bool) {
	u := units{in: in, line: 1, most: maxUnit}
	for u.next() {
		if !u.yield(format, yield) {
			return
		}
	}
	if u.err != nil {
		yield(Recorded{Line: u.line}, u.err)
	}
}

// binaryMessage reads a file that is one sensor bundle or zip. Of any other, it
// gives back all to be read: it is text that only begins with something else.
func binaryMessage(in *bufio.Reader) (whole Message, rest *bufio.Reader, err error) {
	body, err := io.ReadAll(io.LimitReader(in, maxUnit+1))
	whole = Message{Body: body, Transport: "file"}
	if err != nil || len(body) <= maxUnit && formOf(&whole) != unknownForm {
		return whole, nil, err
	}
	return Message{}, bufio.NewReaderSize(io.MultiReader(bytes.NewReader(body), in), 64<<10), nil
}

// isText reports whether the content is text, not a sensor bundle or a zip.
func isText(head []byte) bool {
	if beginsSensorData(head) {
		return false
	}
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

// yield gives a unit's message. Lines of captures that hang together only because
// one of them was cut short are given one by one: each stands for itself.
func (u *units) yield(format Format, yield func(Recorded, error) bool) bool {
	if u.cut {
		err := &Reject{Reason: TooLarge, Err: fmt.Errorf("a line of more than %d bytes", u.most), Data: u.text}
		return yield(Recorded{Line: u.start}, err)
	}
	together := !hasCapture(u.text, format) || bytes.IndexByte(bytes.TrimSpace(u.text), '\n') < 0 || json.Valid(u.text)
	if together {
		msg, err := recordedMessage(u.text, format)
		return yield(Recorded{Message: msg, Line: u.start}, err)
	}
	line := u.start
	for text := range bytes.Lines(u.text) {
		if len(bytes.TrimSpace(text)) > 0 {
			msg, err := recordedMessage(text, format)
			if !yield(Recorded{Message: msg, Line: line}, err) {
				return false
			}
		}
		line++
	}
	return true
}

// hasCapture reports whether a unit is meant to be a captured bus message.
func hasCapture(text []byte, format Format) bool {
	return format == FormatBus || format == FormatAuto && bytes.Contains(text, []byte(`"body_b64"`))
}

func recordedMessage(text []byte, format Format) (Message, error) {
	if !hasCapture(text, format) {
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
