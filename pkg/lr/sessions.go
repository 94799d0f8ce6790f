package lr

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Sessions lists the pending and active sessions of all clients. Servers before 6.3
// ignore active_only and list the finished ones too.
func (c *Client) Sessions(ctx context.Context) ([]edr.SessionInfo, error) {
	live, err := c.liveSessions(ctx, edr.Where{})
	if err != nil {
		return nil, err
	}
	infos := make([]edr.SessionInfo, len(live))
	for i, s := range live {
		infos[i] = s.info()
	}
	return infos, nil
}

func (c *Client) liveSessions(ctx context.Context, w edr.Where) ([]sessionJSON, error) {
	var got list[sessionJSON]
	err := c.do(ctx, call{
		method: http.MethodGet, path: sessionPath, query: url.Values{"active_only": {"true"}},
		out: &got, repeat: true, where: w,
	})
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

// OpenSession opens a session of one's own. It looks first: an offline sensor
// is edr.ErrOffline, one that has a session edr.ErrSessionBusy. The session is
// usually pending; its first command, or Await, waits for the sensor.
func (c *Client) OpenSession(ctx context.Context, sensorID string) (*Session, error) {
	sensor, err := c.ready(ctx, sensorID)
	if err != nil {
		return nil, err
	}
	before, err := c.liveSessions(ctx, edr.Where{Sensor: sensorID})
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(before, func(s sessionJSON) bool { return idText(s.SensorID) == sensorID }); i >= 0 {
		return nil, &Error{Where: edr.Where{Sensor: sensorID, Session: idText(before[i].ID)}, Kind: edr.ErrSessionBusy}
	}
	got, err := c.create(ctx, sensorID, before)
	if err != nil {
		return nil, c.whyRefused(ctx, err)
	}
	return newSession(c, got, sensor.OS, true), nil
}

// Join returns a session on the sensor: the one it has, which stays its opener's
// to close, or else a new one of our own.
func (c *Client) Join(ctx context.Context, sensorID string) (*Session, error) {
	sensor, err := c.ready(ctx, sensorID)
	if err != nil {
		return nil, err
	}
	live, err := c.liveSessions(ctx, edr.Where{Sensor: sensorID})
	if err != nil {
		return nil, err
	}
	for _, s := range live {
		if idText(s.SensorID) == sensorID {
			return c.adopt(ctx, s, sensor.OS, false)
		}
	}
	got, err := c.create(ctx, sensorID, live)
	if err != nil {
		return nil, c.whyRefused(ctx, err)
	}
	return newSession(c, got, sensor.OS, true), nil
}

// AttachSession returns an existing session as one's own, for instance one that
// an earlier process left. edr.ErrSessionGone when it is not live any more.
func (c *Client) AttachSession(ctx context.Context, sessionID string) (*Session, error) {
	id, err := sessionNumber(sessionID)
	if err != nil {
		return nil, err
	}
	var got sessionJSON
	w := edr.Where{Session: sessionID}
	if err := c.do(ctx, call{method: http.MethodGet, path: sessionRoute(id), out: &got, repeat: true, where: w}); err != nil {
		return nil, err
	}
	if !got.live() {
		return nil, &Error{Where: w, Kind: edr.ErrSessionGone, Reason: string(got.Status)}
	}
	sensor, err := c.Sensor(ctx, idText(got.SensorID))
	if err != nil {
		return nil, err
	}
	return c.adopt(ctx, got, sensor.OS, true)
}

// adopt makes a Session of one with a history: its highest command id separates
// later commands from earlier ones.
func (c *Client) adopt(ctx context.Context, got sessionJSON, os edr.OS, own bool) (*Session, error) {
	s := newSession(c, got, os, own)
	if _, err := s.Commands(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// CloseSession ends a session by id. Closing one that is gone is no error.
func (c *Client) CloseSession(ctx context.Context, sessionID string) error {
	id, err := sessionNumber(sessionID)
	if err != nil {
		return nil // no session of this server ever had that id
	}
	err = c.do(ctx, call{
		method: http.MethodPut, path: sessionRoute(id), repeat: true,
		where: edr.Where{Session: sessionID},
		body:  map[string]any{"id": id, "session_id": id, "status": "close"},
	})
	if errors.Is(err, edr.ErrSessionGone) {
		return nil
	}
	return err
}

// Commands lists the commands of a session, of a closed one too as long as the
// server keeps it. They come without their results: see Session.Command.
func (c *Client) Commands(ctx context.Context, sessionID string) ([]edr.Command, error) {
	id, err := sessionNumber(sessionID)
	if err != nil {
		return nil, err
	}
	got, err := c.commandList(ctx, id, edr.Where{Session: sessionID})
	if err != nil {
		return nil, err
	}
	all := make([]edr.Command, len(got))
	for i, cmd := range got {
		all[i] = cmd.command(sessionID)
	}
	return all, nil
}

func (c *Client) commandList(ctx context.Context, session number, w edr.Where) ([]commandJSON, error) {
	var got list[commandJSON]
	err := c.do(ctx, call{method: http.MethodGet, path: sessionRoute(session) + "/command", out: &got, repeat: true, where: w})
	return got, err
}

func sessionRoute(id number) string { return sessionPath + "/" + idText(id) }

// ready returns the sensor if a session on it has a chance.
func (c *Client) ready(ctx context.Context, sensorID string) (edr.Sensor, error) {
	s, err := c.Sensor(ctx, sensorID)
	switch {
	case err != nil:
		return s, err
	case !s.LiveResponse:
		return s, &Error{Where: edr.Where{Sensor: sensorID}, Kind: edr.ErrUnsupported, Reason: "sensor has no Live Response"}
	case !s.Online:
		return s, &Error{Where: edr.Where{Sensor: sensorID}, Kind: edr.ErrOffline, Reason: s.Status}
	}
	return s, nil
}

// create requests a new session. before are the live sessions listed just now.
func (c *Client) create(ctx context.Context, sensorID string, before []sessionJSON) (sessionJSON, error) {
	w := edr.Where{Sensor: sensorID}
	id, err := sensorNumber(sensorID)
	if err != nil {
		return sessionJSON{}, err
	}
	mark := number(1200 + 1 + rand.IntN(599)) // see claim
	pauses := c.pauses()
	for try := 1; ; try++ {
		var got sessionJSON
		f := c.once(ctx, call{
			method: http.MethodPost, path: sessionPath, where: w, out: &got,
			body: map[string]any{"sensor_id": id, "check_in_timeout": mark},
		})
		switch {
		case f == nil && got.ID == 0:
			f = &failure{err: &Error{Where: w, Kind: edr.ErrServer, Reason: "answer names no session"}, delivery: answered, passing: true}
		case f == nil && stale(got, sensorID, mark, before):
			return got, &Error{Where: edr.Where{Sensor: sensorID, Session: idText(got.ID)}, Kind: edr.ErrSessionBusy}
		case f == nil:
			return got, nil
		}
		if ctx.Err() != nil {
			return got, ambiguous(f)
		}
		if f.delivery != unsent {
			got, err := c.claim(ctx, sensorID, mark, f)
			if err != nil || got.ID != 0 {
				return got, err
			}
		}
		if !f.passing || try >= c.cfg.Tries {
			return got, f.err
		}
		if err := pace.Sleep(ctx, pauses.NextBackOff()); err != nil {
			return got, liveresponse.Unanswered(w, err)
		}
	}
}

// stale reports whether a server has answered the request for a new session with
// an old one. A new one may be active already, where the sensor came in while the
// answer was made.
func stale(got sessionJSON, sensorID string, mark number, before []sessionJSON) bool {
	known := slices.ContainsFunc(before, func(s sessionJSON) bool { return s.ID >= got.ID })
	return known || idText(got.SensorID) != sensorID || got.info().Status == edr.SessionActive && got.CheckIn != mark
}

// claim finds the outcome of a session request without a usable answer. A session
// of ours is recognised by the unusual check-in time-out of its request. Its absence
// from the list is no proof while the request may still arrive; the server would
// then refuse the next request as a second session on the sensor. Without a session
// it returns a zero one; a refusal without a useful text is explained by the state.
func (c *Client) claim(ctx context.Context, sensorID string, mark number, f *failure) (sessionJSON, error) {
	live, err := c.liveSessions(ctx, edr.Where{Sensor: sensorID})
	if err != nil {
		return sessionJSON{}, ambiguous(f)
	}
	for _, s := range live {
		switch {
		case idText(s.SensorID) != sensorID:
		case s.CheckIn == mark:
			return s, nil
		default:
			return sessionJSON{}, &Error{Where: edr.Where{Sensor: sensorID, Session: idText(s.ID)}, Status: f.err.Status, Kind: edr.ErrSessionBusy, Reason: f.err.Reason}
		}
	}
	if f.err.Status >= 400 && !errors.Is(f.err.Kind, edr.ErrUnauthorized) && f.err.Kind != edr.ErrDisabled && len(live) >= c.cfg.SessionLimit {
		f.err.Kind = edr.ErrSessionLimit
	}
	if f.err.Kind == edr.ErrSessionLimit {
		return sessionJSON{}, f.err
	}
	return sessionJSON{}, nil
}

// ambiguous marks a failure whose outcome is unknown.
func ambiguous(f *failure) error {
	e := *f.err
	if f.delivery == unsent {
		return &e
	}
	e.Kind, e.Cause = edr.ErrAmbiguous, join(f.err.Kind, f.err.Cause)
	return &e
}

// join is errors.Join on one line.
func join(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return fmt.Errorf("%w: %w", a, b)
}
