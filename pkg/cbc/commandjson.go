package cbc

import (
	"strings"

	"edrpipe/pkg/edr"
)

// Names of commands on the wire.
const (
	cmdGetFile     = "get file"
	cmdPutFile     = "put file"
	cmdDeleteFile  = "delete file"
	cmdList        = "directory list"
	cmdMakeDir     = "create directory"
	cmdRun         = "create process"
	cmdKill        = "kill"
	cmdProcesses   = "process list"
	cmdRegKey      = "reg enum key"
	cmdRegValue    = "reg query value"
	cmdRegSet      = "reg set value"
	cmdRegCreate   = "reg create key"
	cmdRegDelete   = "reg delete key"
	cmdRegDelValue = "reg delete value"
	cmdMemdump     = "memdump"
)

// commandJSON is a command object: common fields, and the results of all commands,
// in the names of both generations.
type commandJSON struct {
	ID       number `json:"id"` // from 0
	DeviceID text   `json:"device_id"`
	Name     text   `json:"name"`
	Object   text   `json:"object"`
	Path     text   `json:"path"`
	Status   text   `json:"status"`
	Created  moment `json:"create_time"`
	Finished moment `json:"finish_time"` // set while the command is pending, too
	Code     number `json:"result_code"` // signed or unsigned
	Type     text   `json:"result_type"`
	Desc     text   `json:"result_desc"`
	Input    struct {
		Name   text `json:"name"`
		Object text `json:"object"`
		Path   text `json:"path"`
		PID    text `json:"pid"`
	} `json:"input"`

	FileDetails struct {
		FileID text `json:"file_id"`
	} `json:"file_details"`
	FileID     text              `json:"file_id"`
	Files      list[dirJSON]     `json:"files"`
	Processes  list[processJSON] `json:"processes"`
	PID        number            `json:"pid"`
	ReturnCode *number           `json:"return_code"`
	SubKeys    list[text]        `json:"sub_keys"`
	Values     list[valueJSON]   `json:"values"`
	Value      *valueJSON        `json:"value"`
	Percent    number            `json:"percentdone"`
}

func (c commandJSON) name() string { return first(c.Name, c.Input.Name) }
func (c commandJSON) object() string {
	return first(c.Input.Path, c.Input.Object, c.Input.PID, c.Path, c.Object)
}

func (c commandJSON) command(session string) edr.Command {
	_, device, _ := strings.Cut(session, ":")
	out := edr.Command{
		ID: int64(c.ID), SessionID: session, SensorID: first(c.DeviceID, text(device)), Name: c.name(), Object: c.object(), Status: c.status(),
		ResultCode: uint32(c.Code), ResultType: string(c.Type), ResultDesc: string(c.Desc), CreatedAt: c.Created.Time,
	}
	if out.Status.Done() {
		out.EndedAt = c.Finished.Time
	}
	return out
}

// status reads all spellings of a state, in either case. One that is not known is
// not an end.
func (c commandJSON) status() edr.CommandStatus {
	switch s := strings.ToLower(strings.TrimSpace(string(c.Status))); s {
	case "cancel", "canceled", "cancelled":
		return edr.CommandCancelled
	case "in progress", "inprogress", "in_progress":
		return edr.CommandRunning
	case "completed":
		return edr.CommandComplete
	default:
		return edr.CommandStatus(s)
	}
}
