package edrsim

import (
	"net/http"
	"time"
)

// controlRoutes is the control channel: not part of the EDR's API, but behind the
// same token.
func (s *Server) controlRoutes(mux *http.ServeMux) {
	route := func(pattern string, f endpointFunc) { mux.Handle(pattern, s.answer(f)) }
	route("GET /_sim/counters", s.getCounters)
	route("POST /_sim/counters/reset", s.postReset)
	route("GET /_sim/state", s.getState)
	route("POST /_sim/sensors/{id}/power", s.postPower)
	route("GET /_sim/faults", s.getFaults)
	route("PUT /_sim/faults", s.putFaults)
	route("POST /_sim/faults/next", s.postNextFault)
	route("POST /_sim/clock", s.postClock)
	if s.cloud != nil {
		s.cloud.controlRoutes(mux)
		return
	}
	route("POST /_sim/alerts", s.simAddAlert)
	route("POST /_sim/binaries", s.simAddBinary)
}

func (s *Server) getCounters(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, s.Counters())
}

func (s *Server) postReset(w http.ResponseWriter, r *http.Request) error {
	s.ResetCounters()
	return s.reply(w, r, s.Counters())
}

// SimState is the simulation as /_sim/state gives it.
type SimState struct {
	Now     time.Time     `json:"now"` // simulated
	Version string        `json:"version"`
	Slots   int           `json:"slots"`
	Quirks  Quirks        `json:"quirks"` // all, in force
	Faults  Faults        `json:"faults"`
	Sensors []SensorState `json:"sensors"`
	// Sessions are the pending and active ones.
	Sessions []SessionState `json:"sessions"`
}

// SensorState is a sensor behind the server's view of it.
type SensorState struct {
	ID          int       `json:"id"`
	Hostname    string    `json:"hostname"`
	OS          string    `json:"os"`
	Power       bool      `json:"power"` // it runs now
	Status      string    `json:"status"`
	LastCheckIn time.Time `json:"last_check_in"`
	NextCheckIn time.Time `json:"next_check_in,omitzero"` // absent: it is off
	Isolated    bool      `json:"isolated"`
}

// SessionState is an open session.
type SessionState struct {
	ID       int    `json:"id"`
	SensorID int    `json:"sensor_id"`
	Status   string `json:"status"`
	Commands int    `json:"commands"`
	Waiting  int    `json:"waiting"` // commands not finished
}

// State returns the present state of the simulation.
func (s *Server) State() SimState {
	faults := s.faults.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.now()
	s.settle(now)
	st := SimState{Now: now, Version: s.cfg.Version, Slots: s.cfg.Slots, Quirks: Quirks{}, Faults: faults, Sensors: []SensorState{}, Sessions: []SessionState{}}
	for _, q := range quirks {
		st.Quirks[q.Name] = *q.field(s.as)
	}
	for _, x := range s.sensors {
		x.advance(now)
		st.Sensors = append(st.Sensors, SensorState{x.id, x.hostname, x.os(), x.power.up(now), x.status(now), x.lastCheckIn, x.nextCheckIn, x.isolating})
	}
	for _, x := range s.live {
		waiting := 0
		for _, c := range x.commands {
			if !c.done() {
				waiting++
			}
		}
		st.Sessions = append(st.Sessions, SessionState{x.id, x.sensor.id, x.status, len(x.commands), waiting})
	}
	return st
}

func (s *Server) getState(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, s.State())
}

func (s *Server) postPower(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		On bool `json:"on"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	id := pathNumber(r, "id")
	if err := s.SetPower(id, req.On); err != nil {
		return err
	}
	return s.reply(w, r, map[string]any{"sensor_id": id, "power": req.On})
}

func (s *Server) getFaults(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, s.faults.current())
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) error {
	f := Faults{}
	if err := readJSON(r, &f); err != nil {
		return err
	}
	if err := s.SetFaults(f); err != nil {
		return badRequest(err)
	}
	return s.reply(w, r, f)
}

func (s *Server) postNextFault(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name   string `json:"name"`
		Method string `json:"method"`
		Path   string `json:"path"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if err := s.FailNext(req.Name, req.Method, req.Path); err != nil {
		return badRequest(err)
	}
	return s.reply(w, r, req)
}

func (s *Server) postClock(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Advance string `json:"advance"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	d, err := time.ParseDuration(req.Advance)
	if err != nil || d < 0 {
		return &apiError{http.StatusBadRequest, "advance: a duration such as 5m is required"}
	}
	s.Advance(d)
	return s.reply(w, r, map[string]any{"now": s.Now()})
}
