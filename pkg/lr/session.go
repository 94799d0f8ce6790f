package lr

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Session is a Live Response session on one sensor. It is for one goroutine at a
// time, except for Close, Info and KeepAlive.
type Session struct {
	c   *Client
	id  number
	os  edr.OS
	own bool // ours to close

	mu        sync.Mutex
	info      edr.SessionInfo
	keepAlive time.Duration // between keepalives, from the sensor's wait time-out
	last      int64         // highest command id known, or edr.NoCommand
}

var _ edr.LiveSession = (*Session)(nil)

func newSession(c *Client, got sessionJSON, os edr.OS, own bool) *Session {
	s := &Session{c: c, id: got.ID, os: os, own: own, last: edr.NoCommand}
	s.learn(got)
	return s
}

// Info describes the session as last seen.
func (s *Session) Info() edr.SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// OS is the platform of the sensor.
func (s *Session) OS() edr.OS { return s.os }

// Own reports whether Close ends the session; one that another client opened stays.
func (s *Session) Own() bool { return s.own }

// Supports reports whether the sensor accepts a command; false while the session is
// pending, because the list comes with the sensor.
func (s *Session) Supports(command string) bool {
	return slices.Contains(s.Info().Commands, command)
}

func (s *Session) where() edr.Where {
	return edr.Where{Sensor: s.Info().SensorID, Session: idText(s.id)}
}

func (s *Session) route(parts ...string) string {
	return sessionRoute(s.id) + "/" + strings.Join(parts, "/")
}

// learn takes over the server's state of the session.
func (s *Session) learn(got sessionJSON) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = got.info()
	s.keepAlive = s.c.cfg.KeepAlive
	if s.keepAlive == 0 {
		s.keepAlive = 30 * time.Second
		if quarter := time.Duration(got.SensorWait) * time.Second / 4; quarter > 0 {
			s.keepAlive = min(s.keepAlive, quarter)
		}
	}
}

// Await waits until the sensor has taken the session up, which it does at its
// next check-in.
func (s *Session) Await(ctx context.Context) error {
	return s.c.await(ctx, s.where(), maxSessionPoll, func(ctx context.Context, hold time.Duration) (bool, error) {
		var got sessionJSON
		timely, err := s.c.held(ctx, call{method: http.MethodGet, path: sessionRoute(s.id), out: &got, where: s.where()}, hold)
		if err != nil || !timely {
			return false, err
		}
		s.learn(got)
		switch status := s.Info().Status; status {
		case edr.SessionActive:
			return true, nil
		case edr.SessionPending:
			return false, nil
		default:
			return false, s.gone("it is in state " + string(status))
		}
	})
}

func (s *Session) gone(reason string) error {
	return &Error{Where: s.where(), Kind: edr.ErrSessionGone, Reason: reason}
}

// active blocks until the sensor has joined the session.
func (s *Session) active(ctx context.Context) error {
	switch status := s.Info().Status; status {
	case edr.SessionActive:
		return nil
	case edr.SessionPending:
		return s.Await(ctx)
	default:
		return s.gone("it is in state " + string(status))
	}
}

// KeepAlive resets the sensor's wait timer. A pending session is left alone: the
// server would close it.
func (s *Session) KeepAlive(ctx context.Context) error {
	if s.Info().Status != edr.SessionActive {
		return nil
	}
	return s.c.do(ctx, call{method: http.MethodGet, path: s.route("keepalive"), repeat: true, where: s.where()})
}

// Close ends the session if it is ours, or else leaves it alone. Closing one
// that is gone is no error.
func (s *Session) Close(ctx context.Context) error {
	if !s.own {
		return nil
	}
	if err := s.c.CloseSession(ctx, idText(s.id)); err != nil {
		return liveresponse.At(err, s.where())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info.Status = edr.SessionClosed
	return nil
}

// Commands lists this session's commands with their status.
func (s *Session) Commands(ctx context.Context) ([]edr.Command, error) {
	got, err := s.c.commandList(ctx, s.id, s.where())
	if err != nil {
		return nil, err
	}
	all := make([]edr.Command, len(got))
	for i, cmd := range got {
		all[i] = cmd.command(idText(s.id))
		s.seen(all[i].ID)
	}
	return all, nil
}

// Command returns one command; with wait, once it has ended.
func (s *Session) Command(ctx context.Context, id int64, wait bool) (edr.Command, error) {
	w := s.where()
	w.Command = &id
	var got commandJSON
	err := error(nil)
	if wait {
		got, err = s.outcome(ctx, id, w)
	} else {
		err = s.c.do(ctx, call{method: http.MethodGet, path: s.commandRoute(id), out: &got, repeat: true, where: w})
	}
	if err != nil {
		return edr.Command{}, err
	}
	return got.command(idText(s.id)), nil
}

// Cancel takes a command back that the sensor has not started.
func (s *Session) Cancel(ctx context.Context, id int64) error {
	w := s.where()
	w.Command = &id
	return s.c.do(ctx, call{
		method: http.MethodPut, path: s.commandRoute(id), repeat: true, where: w,
		body: map[string]any{"id": id, "session_id": s.id, "status": "cancel"},
	})
}

func (s *Session) commandRoute(id int64) string {
	return s.route("command", strconv.FormatInt(id, 10))
}

// seen notes a command id.
func (s *Session) seen(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, id)
}

func (s *Session) lastCommand() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}
