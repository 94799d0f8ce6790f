package lr

import (
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
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

// commandJSON is a command object: common fields, and the results of all
// commands.
type commandJSON struct {
	ID         number `json:"id"`
	SessionID  number `json:"session_id"`
	SensorID   number `json:"sensor_id"`
	Name       text   `json:"name"`
	Object     text   `json:"object"`
	Status     text   `json:"status"`
	Created    moment `json:"create_time"`
	Completion moment `json:"completion"`
	Code       number `json:"result_code"`
	Type       text   `json:"result_type"`
	Desc       text   `json:"result_desc"`

	FileID     *number                  `json:"file_id"`
	Files      list[dirJSON]            `json:"files"`
	Processes  list[processJSON]        `json:"processes"`
	PID        number                   `json:"pid"`
	ReturnCode *number                  `json:"return_code"`
	SubKeys    list[text]               `json:"sub_keys"`
	Values     list[liveresponse.Value] `json:"values"`
	Value      *liveresponse.Value      `json:"value"`
	Percent    number                   `json:"percentdone"`
}

func (c commandJSON) command(session string) edr.Command {
	return edr.Command{
		ID: int64(c.ID), SessionID: session, SensorID: idText(c.SensorID),
		Name: string(c.Name), Object: string(c.Object), Status: c.status(),
		ResultCode: uint32(c.Code), ResultType: string(c.Type), ResultDesc: string(c.Desc),
		CreatedAt: c.Created.Time, EndedAt: c.Completion.Time,
	}
}

// status decodes all spellings of a state. An unknown spelling counts as not terminal.
func (c commandJSON) status() edr.CommandStatus {
	switch s := strings.ToLower(strings.TrimSpace(string(c.Status))); s {
	case "cancel", "canceled", "cancelled":
		return edr.CommandCancelled
	case "in progress", "inprogress", "in_progress":
		return edr.CommandRunning
	default:
		return edr.CommandStatus(s)
	}
}
