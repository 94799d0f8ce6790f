package cbc

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Sessions lists the pending and active sessions of all clients of the organisation.
// It needs no session and has no effect: a good test of the connection.
func (c *Client) Sessions(ctx context.Context) ([]edr.SessionInfo, error) {
	live, err := c.liveSessions(ctx, edr.Where{}, ongoing)
	if err != nil {
		return nil, err
	}
	infos := make([]edr.SessionInfo, len(live))
	for i, s := range live {
		infos[i] = s.info("")
	}
	return infos, nil
}

func (c *Client) liveSessions(ctx context.Context, w edr.Where, order urgency) ([]sessionJSON, error) {
	var got wrapped[sessionJSON]
	err := c.do(ctx, call{method: http.MethodGet, path: c.sessions(), out: &got, repeat: true, where: w, order: order})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(got, func(s sessionJSON) bool { return !s.live() }), nil
}

// Open opens a session of one's own: see OpenSession.
func (c *Client) Open(ctx context.Context, sensorID string) (edr.Session, error) {
	s, err := c.OpenSession(ctx, sensorID)
	if err != nil {
		return nil, err // not s: a nil *Session is no nil edr.Session
	}
	return s, nil
}

// Attach returns an existing session that is ours to use and to close: see
// AttachSession.
func (c *Client) Attach(ctx context.Context, sessionID string) (edr.Session, error) {
	s, err := c.AttachSession(ctx, sessionID)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// OpenSession opens a session of one's own. It looks first: a device without recent
// contact is edr.ErrOffline, one that has a session edr.ErrSessionBusy. The session
// is usually pending; its first command, or Await, waits for the device.
func (c *Client) OpenSession(ctx context.Context, sensorID string) (*Session, error) {
	device, err := c.ready(ctx, sensorID)
	if err != nil {
		return nil, err
	}
	w := edr.Where{Sensor: sensorID}
	before, err := c.liveSessions(ctx, w, opening)
	if err != nil {
		return nil, err
	}
	if s := sessionOn(before, sensorID, nil); s != nil {
		return nil, &Error{Where: edr.Where{Sensor: sensorID, Session: string(s.ID)}, Kind: edr.ErrSessionBusy}
	}
	if c.devicesIn(before) >= c.cfg.SessionLimit {
		return nil, &Error{Where: w, Kind: edr.ErrSessionLimit, Reason: "as many devices have a session as the configuration permits"}
	}
	got, err := c.create(ctx, sensorID, before)
	if err != nil {
		return nil, err
	}
	return newSession(c, got, device), nil
}

// devicesIn counts what the product's limit counts.
func (c *Client) devicesIn(live []sessionJSON) int {
	devices := map[string]bool{}
	for _, s := range live {
		devices[s.device()] = true
	}
	return len(devices)
}

// ready returns the device if a session on it has a chance.
func (c *Client) ready(ctx context.Context, sensorID string) (deviceJSON, error) {
	d, err := c.justRead(ctx, sensorID)
	w := edr.Where{Sensor: sensorID}
	switch s := c.sensor(d); {
	case err != nil:
		return d, err
	case !s.LiveResponse:
		return d, &Error{Where: w, Kind: edr.ErrUnsupported, Reason: "Live Response is not enabled on the device"}
	case !s.Online:
		return d, &Error{Where: w, Kind: edr.ErrOffline, Reason: "last contact " + s.LastCheckin.Format("2006-01-02T15:04:05Z")}
	}
	return d, nil
}

// sessionOn returns the live session on a device that is not among known, or nil.
func sessionOn(live []sessionJSON, device string, known []sessionJSON) *sessionJSON {
	for i, s := range live {
		old := slices.ContainsFunc(known, func(k sessionJSON) bool { return k.ID == s.ID })
		if s.device() == device && !old {
			return &live[i]
		}
	}
	return nil
}

// create requests a new session. before are the live sessions seen just now: ids
// have no order, so that a new one is known by not being among them.
func (c *Client) create(ctx context.Context, sensorID string, before []sessionJSON) (sessionJSON, error) {
	n, err := deviceNumber(sensorID)
	if err != nil {
		return sessionJSON{}, err
	}
	w := edr.Where{Sensor: sensorID}
	pauses := c.pauses()
	for try := 1; ; {
		var got sessionJSON
		f := c.once(ctx, call{method: http.MethodPost, path: c.sessions(), where: w, out: &got, order: opening, body: map[string]any{"device_id": n}})
		switch {
		case f == nil && got.ID == "":
			f = &failure{err: &Error{Where: w, Kind: edr.ErrServer, Reason: "answer names no session"}, delivery: answered, passing: true}
		case f == nil && got.device() != sensorID:
			return got, &Error{Where: w, Kind: edr.ErrServer, Reason: "answer names a session on device " + got.device()}
		case f == nil && slices.ContainsFunc(before, func(s sessionJSON) bool { return s.ID == got.ID }):
			return got, &Error{Where: edr.Where{Sensor: sensorID, Session: string(got.ID)}, Kind: edr.ErrSessionBusy}
		case f == nil:
			return got, nil
		case f.err.Status == http.StatusTooManyRequests && ctx.Err() == nil:
			continue // refused without effect; the Limiter delays the next request
		}
		if ctx.Err() != nil {
			return got, ambiguous(f)
		}
		if f.passing && f.delivery != unsent {
			if found, err := c.claim(ctx, sensorID, before, f); err != nil || found != nil {
				if found != nil {
					return *found, err
				}
				return got, err
			}
		}
		if !f.passing || try >= c.cfg.Tries {
			return got, f.err
		}
		try++
		if err := pace.Sleep(ctx, pauses.NextBackOff()); err != nil {
			return got, liveresponse.Unanswered(w, err)
		}
	}
}

// claim looks what came of a request for a session that got no usable answer: a
// session on the device that was not there before. A lost request may yet arrive, so
// that its absence is looked at again until Config.Settle is over.
func (c *Client) claim(ctx context.Context, sensorID string, before []sessionJSON, f *failure) (*sessionJSON, error) {
	waited := c.cfg.Settle / 5
	for ; ; waited *= 2 {
		live, err := c.liveSessions(ctx, edr.Where{Sensor: sensorID}, ongoing)
		if err != nil {
			return nil, ambiguous(f)
		}
		if s := sessionOn(live, sensorID, before); s != nil {
			return s, nil
		}
		if f.delivery == answered || waited > c.cfg.Settle {
			return nil, nil
		}
		if err := pace.Sleep(ctx, waited); err != nil {
			return nil, ambiguous(f)
		}
	}
}

// AttachSession returns an existing session as one's own, for instance one that an
// earlier process left. edr.ErrSessionGone when it is not live any more.
func (c *Client) AttachSession(ctx context.Context, sessionID string) (*Session, error) {
	var got sessionJSON
	w := edr.Where{Session: sessionID}
	if sessionID == "" {
		return nil, &Error{Where: w, Kind: edr.ErrSessionGone, Reason: "no session has an empty id"}
	}
	if err := c.do(ctx, call{method: http.MethodGet, path: c.sessions(sessionID), out: &got, repeat: true, where: w}); err != nil {
		return nil, err
	}
	if !got.live() {
		return nil, &Error{Where: w, Kind: edr.ErrSessionGone, Reason: string(got.Status)}
	}
	device, err := c.justRead(ctx, got.device())
	if err != nil {
		return nil, err
	}
	s := newSession(c, got, device)
	if s.Info().Status == edr.SessionActive {
		if _, err := s.Commands(ctx); err != nil { // its history separates later commands
			return nil, err
		}
	}
	return s, nil
}

// CloseSession ends a session by id. Closing one that is gone is no error.
func (c *Client) CloseSession(ctx context.Context, sessionID string) error {
	if sessionID == "" {
		return nil
	}
	err := c.do(ctx, call{method: http.MethodDelete, path: c.sessions(sessionID), repeat: true, where: edr.Where{Session: sessionID}, order: urgent})
	if errors.Is(err, edr.ErrSessionGone) {
		return nil
	}
	return err
}

// Commands lists the commands of a session; whether those of a closed one can still
// be read is not known.
func (c *Client) Commands(ctx context.Context, sessionID string) ([]edr.Command, error) {
	got, err := c.commandList(ctx, sessionID, edr.Where{Session: sessionID})
	if err != nil {
		return nil, err
	}
	all := make([]edr.Command, len(got))
	for i, cmd := range got {
		all[i] = cmd.command(sessionID)
	}
	return all, nil
}

func (c *Client) commandList(ctx context.Context, sessionID string, w edr.Where) ([]commandJSON, error) {
	var got wrapped[commandJSON]
	err := c.do(ctx, call{method: http.MethodGet, path: c.sessions(sessionID, "commands"), out: &got, repeat: true, where: w})
	return got, err
}

// ambiguous marks a failure whose outcome is unknown.
func ambiguous(f *failure) error {
	e := *f.err
	if f.delivery == unsent {
		return &e
	}
	e.Kind, e.Cause = edr.ErrAmbiguous, errors.Join(f.err.Kind, f.err.Cause)
	return &e
}
