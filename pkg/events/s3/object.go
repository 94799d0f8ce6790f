package s3

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"edrpipe/internal/pace"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/inflight"
)

// readTries bounds how often an object is read that breaks off at the same place.
const readTries = 3

// object delivers the lines of one object, from the first unsettled one, and blocks
// until all are settled. A damaged or missing object is set aside with a message in the
// log; its readable part has been delivered.
func (r *reader) object(ctx context.Context, o minio.ObjectInfo) error {
	for try := 1; ; {
		had := r.progress.settled(o)
		err := r.lines(ctx, o)
		var final *handlerError
		switch {
		case err == nil:
			r.progress.finish(o, r.Lookback)
			return r.progress.saveSometimes(r.Place)
		case errors.As(err, &final), ctx.Err() != nil:
			return errors.Join(err, r.progress.save(r.Place))
		}
		if r.progress.settled(o) > had {
			try = 0
		}
		if try++; try > readTries {
			r.Log.Error().Err(err).Str("object", o.Key).Int("lines", r.progress.settled(o)).
				Msg("object cannot be read to its end and is set aside: events in the rest of it are lost")
			r.progress.finish(o, r.Lookback)
			return nil
		}
		if err := pace.Sleep(ctx, r.Retry); err != nil {
			return err
		}
	}
}

// lines delivers what is not settled of an object.
func (r *reader) lines(ctx context.Context, o minio.ObjectInfo) error {
	object, err := r.Client.GetObject(ctx, r.Bucket, o.Key, minio.GetObjectOptions{})
	if err != nil {
		return fmt.Errorf("read %s: %w", o.Key, err)
	}
	defer object.Close()
	text, err := unpacked(object)
	if err != nil {
		return fmt.Errorf("read %s: %w", o.Key, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &delivery{reader: r, of: o, ctx: ctx, cancel: cancel, slots: make(chan struct{}, r.Pending)}
	skip := r.progress.settled(o)
	readErr := eachLine(text, r.MaxLine, func(n int, line []byte) error {
		if n < skip {
			return nil
		}
		return d.offer(n, line)
	})
	// All offered lines are settled before the object ends.
	select {
	case <-d.window.Idle():
	case <-ctx.Done():
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if readErr != nil {
		return fmt.Errorf("read %s: %w", o.Key, readErr)
	}
	return nil
}

// unpacked decompresses gzip, which is detected from the content, not the name.
func unpacked(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if head, err := in.Peek(2); err != nil || head[0] != 0x1f || head[1] != 0x8b {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return in, nil
	}
	return gzip.NewReader(in)
}

// eachLine calls f with each line and its number, from 0. A line longer than most is
// cut, so that memory stays bounded.
func eachLine(r io.Reader, most int, f func(n int, line []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for n := 0; ; n++ {
		var line []byte
		for {
			part, err := in.ReadSlice('\n')
			if room := most - len(line); room > 0 {
				line = append(line, part[:min(len(part), room)]...)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) {
				if len(bytes.TrimSpace(line)) == 0 {
					return nil
				}
				return f(n, bytes.TrimSpace(line))
			}
			if err != nil {
				return err // the line is not whole
			}
			break
		}
		if err := f(n, bytes.TrimSpace(line)); err != nil {
			return err
		}
	}
}

// delivery is an object on its way.
type delivery struct {
	*reader
	of     minio.ObjectInfo
	ctx    context.Context
	cancel context.CancelCauseFunc
	slots  chan struct{}
	window inflight.Window[struct{}]
}

// offer hands one line over, as soon as there are few enough unsettled ones. Empty
// lines count, so that numbers stay what they are.
func (d *delivery) offer(n int, line []byte) error {
	select {
	case d.slots <- struct{}{}:
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
	d.window.Add(uint64(n), struct{}{})
	if len(line) == 0 {
		d.settled(n)
		return nil
	}
	return d.pass(n, bytes.Clone(line))
}

// pass calls the handler. A line that fails is delivered again after a pause.
func (d *delivery) pass(n int, line []byte) error {
	m := events.Message{Body: line, Transport: "s3", Server: d.Server, Received: time.Now()}
	m.Settle = func(err error) {
		if err == nil {
			d.settled(n)
			return
		}
		d.Log.Debug().Err(err).Str("object", d.of.Key).Int("line", n+1).Msg("line is delivered again")
		time.AfterFunc(d.Retry, func() {
			if d.ctx.Err() == nil {
				_ = d.pass(n, line) // an error has ended the delivery
			}
		})
	}
	if err := d.handle(d.ctx, m); err != nil {
		final := &handlerError{err}
		d.cancel(final)
		return final
	}
	return nil
}

// settled notes a line, and how far the object is settled without a gap.
func (d *delivery) settled(n int) {
	if floor, _, moved := d.window.Done(uint64(n)); moved {
		d.progress.advance(d.of, int(floor)+1)
		if err := d.progress.saveSometimes(d.Place); err != nil {
			d.Log.Warn().Err(err).Msg("place in the bucket is not saved")
		}
	}
	<-d.slots
}
