package lr

import (
	"context"
	"errors"
	"fmt"
	"io"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Endpoint is a sensor with a session that is opened at first use and reopened after
// the server has dropped it. It is safe for concurrent use: calls are serialised,
// since a session runs one command at a time.
//
// A call is retried in a new session only where that cannot repeat an effect: a
// command that may have run before its session was lost is edr.ErrAmbiguous.
type Endpoint struct {
	c      *Client
	sensor string
	shared bool
	turn   chan struct{} // held while session is in use
	s      *Session
}

// maxReopen bounds how many sessions one call may use up.
const maxReopen = 3

// Endpoint returns the sensor with sessions of its own: edr.ErrSessionBusy while
// another client has one.
func (c *Client) Endpoint(sensorID string) *Endpoint {
	return &Endpoint{c: c, sensor: sensorID, turn: make(chan struct{}, 1)}
}

// SharedEndpoint returns the sensor with the session that it has; a session that
// another client opened is used and never closed.
func (c *Client) SharedEndpoint(sensorID string) *Endpoint {
	e := c.Endpoint(sensorID)
	e.shared = true
	return e
}

// Do calls fn with the endpoint's session; when the session turns out to be gone
// before anything happened, again with a new one. All that belongs together, as
// an upload and the command that uses it, goes into one fn. fn must bear being
// called again from its start; if it cannot, it returns an error that wraps
// edr.ErrAmbiguous.
func (e *Endpoint) Do(ctx context.Context, fn func(*Session) error) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return liveresponse.Unanswered(edr.Where{Sensor: e.sensor}, context.Cause(ctx))
	}
	for try := 1; ; try++ {
		s, err := e.session(ctx)
		if err == nil {
			err = fn(s)
		}
		if !errors.Is(err, edr.ErrSessionGone) {
			return err
		}
		e.s = nil
		if errors.Is(err, edr.ErrAmbiguous) || try >= maxReopen || ctx.Err() != nil {
			return err
		}
	}
}

// session returns the live session or a new one.
func (e *Endpoint) session(ctx context.Context) (*Session, error) {
	if e.s != nil {
		return e.s, nil
	}
	open := e.c.OpenSession
	if e.shared {
		open = e.c.Join
	}
	s, err := open(ctx, e.sensor)
	if err != nil {
		return nil, err
	}
	e.s = s // ours to close even if it never gets active
	return s, s.Await(ctx)
}

// KeepAlive keeps an idle session from ending. It has no effect without a session
// or during a call.
func (e *Endpoint) KeepAlive(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	default:
		return nil
	}
	if e.s == nil {
		return nil
	}
	err := e.s.KeepAlive(ctx)
	if errors.Is(err, edr.ErrSessionGone) {
		e.s = nil
		return nil // the next call opens another
	}
	return err
}

// Close ends the session if there is one and it is ours.
func (e *Endpoint) Close(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return liveresponse.Unanswered(edr.Where{Sensor: e.sensor}, context.Cause(ctx))
	}
	if e.s == nil {
		return nil
	}
	s := e.s
	e.s = nil
	return s.Close(ctx)
}

// GetFile is Session.GetFile, and goes on in a new session from where the last
// one ended, provided that the file's size and time are what they were.
func (e *Endpoint) GetFile(ctx context.Context, path string, r edr.Range, w io.Writer) (edr.FileInfo, error) {
	d := newDownload(path, r, w)
	err := e.Do(ctx, func(s *Session) error { return s.resumable(ctx, d) })
	return d.Info(), err
}

// PutFile is Session.PutFile; when the session ends in between, the upload is
// redone in the next one, for which r must be an io.Seeker.
func (e *Endpoint) PutFile(ctx context.Context, path string, r io.Reader) (info edr.FileInfo, err error) {
	start, size := liveresponse.Extent(r)
	again := false
	err = e.Do(ctx, func(s *Session) error {
		if again {
			if _, err := r.(io.Seeker).Seek(start, io.SeekStart); err != nil {
				return fmt.Errorf("repeat an upload: %w", err)
			}
		}
		again = true
		info, err = s.PutFile(ctx, path, r)
		if size < 0 && errors.Is(err, edr.ErrSessionGone) {
			return fmt.Errorf("%w: what was uploaded cannot be read again: %w", edr.ErrAmbiguous, err)
		}
		return err
	})
	return info, err
}
