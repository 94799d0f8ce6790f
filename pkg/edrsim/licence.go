package edrsim

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// licenceEnds is the day of the licence's end.
func (s *Server) licenceEnds() time.Time {
	days := -40
	switch {
	case s.as.licence == "valid" || s.renewed.Load():
		days = 180
	case s.as.licence == "expired":
		days = -10
	}
	return s.clock.now().UTC().Truncate(24*time.Hour).AddDate(0, 0, days)
}

func (s *Server) getLicence(w http.ResponseWriter, r *http.Request) error {
	ends := s.licenceEnds()
	s.mu.Lock()
	sensors := len(s.sensors)
	s.mu.Unlock()
	return s.reply(w, r, object{
		"license_valid": true, "license_expired": ends.Before(s.clock.now()), "license_end_date": ends.Format(time.DateOnly),
		"licensed_sensor_count": 10 * sensors, "actual_sensor_count": sensors, "licensed_sensor_count_exceeded": false,
		"server_token": "edrsim", "license_request_block": "",
	})
}

// postLicence takes any text as a new licence.
func (s *Server) postLicence(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Licence string `json:"license"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Licence == "" {
		return badRequest(errors.New("license is missing"))
	}
	s.renewed.Store(true)
	return s.reply(w, r, object{"result": "success"})
}

// unlicensed is the refusal of what an ended licence does not permit any more.
func (s *Server) unlicensed() error {
	status, err := strconv.Atoi(s.as.licence)
	if err != nil || s.renewed.Load() {
		return nil
	}
	return &apiError{status, "License has expired"}
}
