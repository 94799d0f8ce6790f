package jetstream

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/nats-io/nats.go"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/batch"
)

// maxUnzipped bounds what a zipped bundle may unfold to while it is split.
const maxUnzipped = 64 << 20

// Shrink takes a message apart whose body is longer than max bytes: lists of JSON
// events into one message each, a bundle of raw sensor events (zipped or not)
// into shorter bundles. TooLarge are the parts that cannot be made short enough,
// in the worst case m itself.
func Shrink(m events.Message, max int) (parts, tooLarge []events.Message) {
	var bodies [][]byte
	contentType := m.ContentType
	switch {
	case bytes.HasPrefix(m.Body, []byte("PK\x03\x04")):
		raw, err := unzip(m.Body)
		if err != nil {
			return nil, []events.Message{m}
		}
		contentType = "application/protobuf"
		bodies = bundles(raw, max)
	case len(m.Body) > 0 && (m.Body[0] == '{' || m.Body[0] == '['):
		bodies = batch.Split(m.Body).Events
	default:
		bodies = bundles(m.Body, max)
	}
	id := m.ID
	if id == "" {
		id = MessageID(m)
	}
	for i, body := range bodies {
		part := m
		part.Body, part.ContentType, part.ID = body, contentType, id+"/"+strconv.Itoa(i)
		if len(body) > max {
			tooLarge = append(tooLarge, part)
			continue
		}
		parts = append(parts, part)
	}
	return parts, tooLarge
}

// bundles cuts a row of length-prefixed records into rows of at most max bytes. A
// body that is not such a row, and a truncated end, stay as they are.
func bundles(body []byte, max int) [][]byte {
	var out [][]byte
	from, at := 0, 0
	for at+4 <= len(body) {
		size := int64(binary.LittleEndian.Uint32(body[at:])) + 4
		if size > int64(len(body)-at) {
			break
		}
		if at > from && at-from+int(size) > max {
			out = append(out, body[from:at])
			from = at
		}
		at += int(size)
	}
	if from < at {
		out = append(out, body[from:at])
	}
	if at < len(body) {
		out = append(out, body[at:])
	}
	return out
}

// unzip joins the entries of a zip: each is a bundle, and a row of bundles is one.
func unzip(body []byte) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, f := range z.File {
		if err := appendEntry(&out, f); err != nil {
			return nil, fmt.Errorf("entry %q: %w", f.Name, err)
		}
	}
	return out.Bytes(), nil
}

func appendEntry(out *bytes.Buffer, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	left := int64(maxUnzipped - out.Len())
	n, err := io.Copy(out, io.LimitReader(r, left+1))
	if err == nil && n > left {
		err = fmt.Errorf("unfolds to more than %d bytes", maxUnzipped)
	}
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return err
}

// headerSize is what headers add to a message's size on the wire, which the bus
// limits together with the body.
func headerSize(h nats.Header) int {
	n := len("NATS/1.0\r\n\r\n")
	for k, values := range h {
		for _, v := range values {
			n += len(k) + len(v) + len(": \r\n")
		}
	}
	return n
}
