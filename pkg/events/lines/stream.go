package lines

import (
	"context"
	"errors"
	"fmt"
	"io"

	"edrpipe/pkg/events"
)

// Stream reads lines from any reader, gzip and lz4 included, to its end: standard
// input, a pipe. If the reader can be closed, it is, when reading is stopped:
// otherwise a Read that waits for input would go on waiting.
type Stream struct {
	Limits
	Origin
	Label string // for messages; empty: stdin
	From  io.Reader
}

// Name is the label.
func (s *Stream) Name() string {
	if s.Label == "" {
		return "stdin"
	}
	return s.Label
}

// Close does nothing.
func (s *Stream) Close() error { return nil }

// Read delivers each line that is not empty and returns when the input has ended
// and all lines are settled.
func (s *Stream) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	if c, ok := s.From.(io.Closer); ok {
		defer context.AfterFunc(ctx, func() { _ = c.Close() })() // only to wake the Read below
	}
	d := newDesk(ctx, s.Limits.withDefaults(), s.Origin, s.Name(), handle)
	err := s.read(d)
	if err != nil {
		err = fmt.Errorf("read %s: %w", s.Name(), err)
	}
	return d.close(ctx, err)
}

func (s *Stream) read(d *desk) error {
	in, _, err := unpack(s.From)
	if err != nil {
		return err
	}
	sc := newScanner(in, d.Line)
	for {
		text, _, err := sc.next()
		if errors.Is(err, io.EOF) {
			text = sc.rest()
		} else if err != nil {
			return err
		}
		if len(text) > 0 {
			if err := d.deliver(line{body: text}); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}
