package cbc

import (
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// sessionJSON is what we read of a session object.
type sessionJSON struct {
	ID       text       `json:"id"`
	DeviceID text       `json:"device_id"`
	Status   text       `json:"status"`
	Commands list[text] `json:"supported_commands"`
	Drives   list[text] `json:"drives"`
	WorkDir  text       `json:"current_working_directory"`
	Created  moment     `json:"create_time"`
	CheckIn  number     `json:"check_in_timeout"` // seconds
}

// status reads statuses of either case. A word that is not known is not live.
func (s sessionJSON) status() edr.SessionStatus {
	switch word := strings.ToLower(string(s.Status)); word {
	case "closed":
		return edr.SessionClosed
	default:
		return edr.SessionStatus(word)
	}
}

func (s sessionJSON) live() bool {
	st := s.status()
	return st == edr.SessionPending || st == edr.SessionActive
}

// info describes the session; hostname comes from the device, because the product
// leaves it out.
func (s sessionJSON) info(hostname string) edr.SessionInfo {
	return edr.SessionInfo{
		ID: string(s.ID), SensorID: s.device(), Status: s.status(), Hostname: hostname,
		Commands: liveresponse.Texts(s.Commands), Drives: liveresponse.Texts(s.Drives),
		WorkDir: string(s.WorkDir), CreatedAt: s.Created.Time,
	}
}

// device is the id of the session's device: its own field, or what follows the
// colon in the session's id.
func (s sessionJSON) device() string {
	if s.DeviceID != "" && s.DeviceID != "0" {
		return string(s.DeviceID)
	}
	_, device, _ := strings.Cut(string(s.ID), ":")
	return device
}
