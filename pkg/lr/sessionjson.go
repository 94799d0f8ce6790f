package lr

import (
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// sessionJSON is what we read of a session object.
type sessionJSON struct {
	ID          number     `json:"id"`
	SensorID    number     `json:"sensor_id"`
	Status      text       `json:"status"`
	Hostname    text       `json:"hostname"`
	Commands    list[text] `json:"supported_commands"`
	Drives      list[text] `json:"drives"`
	WorkDir     text       `json:"current_working_directory"`
	Created     moment     `json:"create_time"`
	CheckIn     number     `json:"check_in_timeout"`
	SensorWait  number     `json:"sensor_wait_timeout"` // seconds
	SessionIdle number     `json:"session_timeout"`     // seconds
}

func (s sessionJSON) info() edr.SessionInfo {
	return edr.SessionInfo{
		ID:        idText(s.ID),
		SensorID:  idText(s.SensorID),
		Status:    edr.SessionStatus(strings.ToLower(string(s.Status))),
		Hostname:  string(s.Hostname),
		Commands:  liveresponse.Texts(s.Commands),
		Drives:    liveresponse.Texts(s.Drives),
		WorkDir:   string(s.WorkDir),
		CreatedAt: s.Created.Time,
	}
}

// live reports whether the session is pending or active.
func (s sessionJSON) live() bool {
	st := s.info().Status
	return st == edr.SessionPending || st == edr.SessionActive
}
