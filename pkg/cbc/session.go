package cbc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// KeepIdle is for how long a session without work is worth keeping: another one takes
// three requests and the few seconds in which a device joins, while this one takes a
// keepalive each five minutes and keeps people off the device.
const KeepIdle = 30 * time.Second

// Limits of a session.
const (
	// maxCommands leaves some of the product's 250 for the end of what has begun.
	maxCommands = 240
	// maxCommand is the size of a command's request, in bytes.
	maxCommand = 10 << 10
)

// Session is a Live Response session on one device. It is for one goroutine at a
// time, except for Close, Info and KeepAlive.
type Session struct {
	c        *Client
	id       string
	os       edr.OS
	hostname string

	mu   sync.Mutex
	info edr.SessionInfo
	last int64     // highest command id known, or edr.NoCommand
	sent int       // commands that count towards the session's limit
	used time.Time // when its idle time began anew
}

var (
	_ edr.Session   = (*Session)(nil)
	_ edr.Files     = (*Session)(nil)
	_ edr.Processes = (*Session)(nil)
	_ edr.Runner    = (*Session)(nil)
	_ edr.Registry  = (*Session)(nil)
	_ edr.Memory    = (*Session)(nil)
)

func newSession(c *Client, got sessionJSON, d deviceJSON) *Session {
	s := &Session{c: c, id: string(got.ID), os: osOf(string(d.OS)), hostname: hostOf(string(d.Name)), last: edr.NoCommand, used: time.Now()}
	s.info = got.info(s.hostname)
	return s
}

// Info describes the session as last seen.
func (s *Session) Info() edr.SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// OS is the platform of the device.
func (s *Session) OS() edr.OS { return s.os }

// Supports reports whether the device accepts a command; false while the session is
// pending, because the list comes with the device.
func (s *Session) Supports(command string) bool { return slices.Contains(s.Info().Commands, command) }

func (s *Session) where() edr.Where { return edr.Where{Sensor: s.Info().SensorID, Session: s.id} }

func (s *Session) gone(reason string) error {
	return &Error{Where: s.where(), Kind: edr.ErrSessionGone, Reason: reason}
}

// Await blocks until the device has taken the session up. A pending session is not
// kept alive: what that does to it is not known.
func (s *Session) Await(ctx context.Context) error {
	if s.Info().Status == edr.SessionActive && len(s.Info().Commands) > 0 {
		return nil
	}
	for wait := 4 * s.c.cfg.Poll; ; wait = maxPoll * s.c.cfg.Poll {
		if err := pace.Sleep(ctx, wait); err != nil {
			return liveresponse.Unanswered(s.where(), err)
		}
		var got sessionJSON
		if err := s.c.do(ctx, call{method: http.MethodGet, path: s.c.sessions(s.id), out: &got, repeat: true, where: s.where(), order: opening}); err != nil {
			return err
		}
		s.mu.Lock()
		s.info = got.info(s.hostname)
		s.mu.Unlock()
		switch status := got.status(); status {
		case edr.SessionActive:
			return nil
		case edr.SessionPending:
		default:
			return s.gone("it is in state " + string(status))
		}
	}
}

// Longest pauses between two looks, in multiples of Config.Poll.
const (
	maxPoll  = 10
	dumpPoll = 20
)

// KeepAlive extends the session's idle time. A pending session is left alone. No
// request is sent, because each counts towards the host's rate, where the last command
// or keepalive was less than Config.KeepAlive ago.
func (s *Session) KeepAlive(ctx context.Context) error {
	s.mu.Lock()
	due := s.info.Status == edr.SessionActive && time.Since(s.used) >= s.c.cfg.KeepAlive
	s.mu.Unlock()
	if !due {
		return nil
	}
	err := s.c.do(ctx, call{method: http.MethodGet, path: s.c.sessions(s.id, "keepalive"), repeat: true, where: s.where()})
	if err == nil {
		s.touch()
	}
	return err
}

// touch notes that the session's idle time has begun anew.
func (s *Session) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = time.Now()
}

// Close ends the session. Closing one that is gone is no error.
func (s *Session) Close(ctx context.Context) error {
	if s.Info().Status == edr.SessionClosed {
		return nil
	}
	if err := s.c.CloseSession(ctx, s.id); err != nil {
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
		all[i] = cmd.command(s.id)
		s.note(all[i].ID)
	}
	s.mu.Lock()
	s.sent = max(s.sent, len(got))
	s.mu.Unlock()
	return all, nil
}

// Command returns one command with its result, with wait once it has ended.
func (s *Session) Command(ctx context.Context, id int64, wait bool) (edr.Command, error) {
	w := s.where()
	w.Command = &id
	got, err := s.look(ctx, id, w)
	if err == nil && wait && !got.status().Done() {
		kept, stop := s.keep(ctx)
		defer stop()
		got, err = s.watch(kept, command{}, id, w)
	}
	if err != nil {
		return edr.Command{}, err
	}
	return got.command(s.id), nil
}

func (s *Session) look(ctx context.Context, id int64, w edr.Where) (commandJSON, error) {
	var got commandJSON
	err := s.c.do(ctx, call{method: http.MethodGet, path: s.c.sessions(s.id, "commands", strconv.FormatInt(id, 10)), out: &got, repeat: true, where: w})
	return got, err
}

// Cancel takes a command back that the device has not started. One that has begun
// goes on: the server refuses, and that is no error here either.
func (s *Session) Cancel(ctx context.Context, id int64) error {
	w := s.where()
	w.Command = &id
	err := s.c.do(ctx, call{method: http.MethodDelete, path: s.c.sessions(s.id, "commands", strconv.FormatInt(id, 10)), repeat: true, where: w, order: urgent})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		return nil
	}
	return err
}

// note remembers a command id.
func (s *Session) note(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, id)
}

func (s *Session) lastCommand() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// keep sends keepalives until stop is called. When the server answers that the session
// is gone, the returned context ends with that error.
func (s *Session) keep(ctx context.Context) (context.Context, func()) {
	kept, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pace.Sleep(kept, s.c.cfg.KeepAlive) == nil {
			if err := s.KeepAlive(kept); errors.Is(err, edr.ErrSessionGone) {
				cancel(err)
			}
		}
	}()
	return kept, func() {
		cancel(context.Canceled)
		<-ended
	}
}
