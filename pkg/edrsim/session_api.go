package edrsim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// openRequest is the body of a POST of a session. All times are seconds.
type openRequest struct {
	SensorID       number `json:"sensor_id"`
	SessionTimeout number `json:"session_timeout"`
	SensorWait     number `json:"sensor_wait_timeout"`
	CheckIn        number `json:"check_in_timeout"`
	CheckInDoc     number `json:"checkin_timeout"` // as the documentation spells it
}

func (s *Server) listSessions(w http.ResponseWriter, r *http.Request) error {
	active := strings.EqualFold(r.URL.Query().Get("active_only"), "true") && s.as.activeOnly == "honoured"
	s.mu.Lock()
	s.settle(s.clock.now())
	list := make([]wireSession, 0, len(s.sessions))
	for _, x := range s.sessions {
		if x.alive() || !active {
			list = append(list, x.wire())
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b wireSession) int { return cmp.Compare(a.ID, b.ID) })
	return s.reply(w, r, list)
}

func (s *Server) openSession(w http.ResponseWriter, r *http.Request) error {
	var req openRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if err := s.unlicensed(); err != nil {
		return err
	}
	x, err := s.open(req)
	if err != nil {
		return err
	}
	return s.replySession(w, r, x)
}

// replySession answers with a session, for a long poll only once it is available.
func (s *Server) replySession(w http.ResponseWriter, r *http.Request, x *session) error {
	if wantsWait(r) {
		if err := s.await(r.Context(), x, func() bool { return x.status != sessionPending }); err != nil {
			return err
		}
	}
	s.mu.Lock()
	v := x.wire()
	s.mu.Unlock()
	return s.reply(w, r, v)
}

// open makes a session, or gives the one there is.
func (s *Server) open(req openRequest) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sensor, err := s.sensor(int(req.SensorID))
	if err != nil {
		return nil, err
	}
	now := s.clock.now()
	s.settle(now)
	sensor.advance(now)
	if sensor.spec.NoLive {
		return nil, &apiError{http.StatusBadRequest, fmt.Sprintf("Sensor %d does not support Live Response", sensor.id)}
	}
	if len(sensor.live) > 0 && s.as.duplicate != "new" {
		if s.as.duplicate == "existing" {
			return sensor.live[0], nil
		}
		s.counters.refused()
		return nil, &apiError{statusCode(s.as.duplicate), fmt.Sprintf("Session %d already exists for sensor %d", sensor.live[0].id, sensor.id)}
	}
	if len(s.live) >= s.cfg.Slots {
		s.counters.refused()
		return nil, &apiError{s.as.limitStatus(), "Maximum number of Live Response sessions reached"}
	}
	s.lastID++
	x := &session{
		srv: s, id: s.lastID, sensor: sensor, status: sessionPending, created: now,
		checkInTimeout: secondsOr(cmp.Or(req.CheckIn, req.CheckInDoc), 1200),
		sensorTimeout:  secondsOr(req.SensorWait, 120),
		idleTimeout:    secondsOr(req.SessionTimeout, 300),
	}
	s.sessions[x.id] = x
	s.live = append(s.live, x)
	sensor.live = append(sensor.live, x)
	s.counters.sessionOpened(len(s.live))
	return x, nil
}

func secondsOr(n, standard number) time.Duration {
	if n <= 0 || n > 1e8 {
		n = standard
	}
	return time.Duration(n) * time.Second
}

func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, err := s.readable(pathNumber(r, "sid"))
	if err == nil && x.status == sessionTimeout && x.activated.IsZero() {
		err = x.gone("not found")
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.replySession(w, r, x)
}

// putSession closes a session, the only change that the API permits.
func (s *Server) putSession(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Status string `json:"status"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	s.mu.Lock()
	x, err := s.session(pathNumber(r, "sid"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	v, err := s.closeSession(x, req.Status)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.reply(w, r, v)
}

func (s *Server) closeSession(x *session, status string) (wireSession, error) {
	if status != sessionClosed && status != "closed" {
		return x.wire(), nil
	}
	if !x.alive() {
		if s.as.closeAgain == "404" {
			return wireSession{}, x.gone("not found")
		}
		return x.wire(), nil
	}
	before := x.status
	x.end(sessionClosed, s.clock.now())
	s.notify()
	v := x.wire()
	if s.as.closeReply == "active" {
		v.Status, v.CloseTime = before, epoch{}
	}
	return v, nil
}

func (s *Server) keepAlive(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, err := s.session(pathNumber(r, "sid"))
	if err == nil {
		err = x.keepAlive(s.clock.now())
	}
	if err != nil {
		s.notify()
		s.mu.Unlock()
		return err
	}
	v := x.wire()
	s.mu.Unlock()
	return s.reply(w, r, v)
}

// session finds one by id and plays it up to now. Callers hold mu.
func (s *Server) session(id int) (*session, error) {
	x := s.sessions[id]
	if x == nil {
		return nil, &apiError{http.StatusNotFound, fmt.Sprintf("Session %d not found", id)}
	}
	x.settle(s.clock.now())
	return x, nil
}

// readable finds a session that can be looked at: an ended one only as the quirk
// has it.
func (s *Server) readable(id int) (*session, error) {
	x, err := s.session(id)
	if err != nil {
		return nil, err
	}
	if !x.alive() && s.as.closedSession == "gone" {
		return nil, x.gone("not found")
	}
	return x, nil
}

// usable finds a session that commands can be given to.
func (s *Server) usable(id int) (*session, error) {
	x, err := s.session(id)
	if err != nil {
		return nil, err
	}
	if x.status != sessionActive {
		return nil, x.gone("not found or not active")
	}
	return x, nil
}

// gone is the answer to a request in an unusable session. Clients recognise it by its
// first word.
func (x *session) gone(why string) error {
	return &apiError{http.StatusNotFound, fmt.Sprintf("Session %d %s", x.id, why)}
}
