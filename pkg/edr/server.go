package edr

import (
	"context"
	"time"
)

// A Server is an EDR product's management server. All methods are safe for
// concurrent use; none outlives its context.
type Server interface {
	// Name identifies the server in records, metrics and subjects.
	Name() string
	// Sensor returns one sensor, or ErrUnknownSensor.
	Sensor(ctx context.Context, id string) (Sensor, error)
	// Sensors lists sensors, all pages of them.
	Sensors(ctx context.Context, q SensorQuery) ([]Sensor, error)
	// Sessions lists the pending and active sessions of all clients.
	Sessions(ctx context.Context) ([]SessionInfo, error)
	// Open requests a session of our own and returns at once, usually while it is
	// pending; Session.Await waits for the sensor. ErrOffline: the server does not
	// see the sensor. ErrSessionLimit: no slot is free. ErrSessionBusy: another
	// client has a session on this sensor. ErrAmbiguous: one may have been opened.
	Open(ctx context.Context, sensorID string) (Session, error)
	// Attach returns an existing session, for instance one that an earlier process
	// of ours left. ErrSessionGone when it is not pending or active any more.
	Attach(ctx context.Context, sessionID string) (Session, error)
	// CloseSession ends a session by id. Closing one that is gone is no error.
	CloseSession(ctx context.Context, sessionID string) error
	// Commands lists the commands of a session, finished ones too and also of a
	// closed session as long as the server keeps it.
	Commands(ctx context.Context, sessionID string) ([]Command, error)
}

// SensorQuery selects sensors; the zero value selects all.
type SensorQuery struct {
	Hostname string // substring, case-insensitive
	IP       string
	GroupID  string
}

// Sensor is the server's record of an installed endpoint agent.
type Sensor struct {
	ID           string    `json:"id"`
	Hostname     string    `json:"hostname"`
	DNSName      string    `json:"dns_name,omitempty"`
	GroupID      string    `json:"group_id,omitempty"`
	Group        string    `json:"group,omitempty"` // name
	GroupUnread  bool      `json:"-"`               // the server has not answered for the name; Group is empty
	OS           OS        `json:"os"`
	OSVersion    string    `json:"os_version,omitempty"`
	Status       string    `json:"status"` // as the server says it
	Online       bool      `json:"online"` // may be minutes stale: see the check-in model
	LastCheckin  time.Time `json:"last_checkin"`
	NextCheckin  time.Time `json:"next_checkin"`
	LiveResponse bool      `json:"live_response"` // the sensor supports it
	Isolation    Isolation `json:"isolation"`
	IPs          []string  `json:"ips,omitempty"`
	Version      string    `json:"version,omitempty"`
}

// OS is the platform of a sensor.
type OS string

// Platforms.
const (
	Windows OS = "windows"
	MacOS   OS = "osx"
	Linux   OS = "linux"
)

// Isolation is the state of the two-flag handshake between server and sensor.
type Isolation string

// States of isolation. A change is requested at the server and becomes real at
// the sensor's next check-in.
const (
	NotIsolated      Isolation = "normal"
	IsolateRequested Isolation = "requested"
	Isolated         Isolation = "isolated"
	ReleaseRequested Isolation = "releasing"
)

// SessionInfo describes a session.
type SessionInfo struct {
	ID        string        `json:"id"` // text: other products have "guid:device"
	SensorID  string        `json:"sensor_id"`
	Status    SessionStatus `json:"status"`
	Hostname  string        `json:"hostname,omitempty"`
	Commands  []string      `json:"supported_commands,omitempty"` // names the sensor accepts
	Drives    []string      `json:"drives,omitempty"`
	WorkDir   string        `json:"current_working_directory,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
}

// SessionStatus is the state of a session.
type SessionStatus string

// States of a session, in Carbon Black's words.
const (
	SessionPending  SessionStatus = "pending"
	SessionActive   SessionStatus = "active"
	SessionTimeout  SessionStatus = "timeout"
	SessionInactive SessionStatus = "inactive"
	SessionClosed   SessionStatus = "close"
)

// NoCommand stands for no command where an id of one is expected.
const NoCommand int64 = -1

// A Session is a connection to one sensor on which commands run in order, one
// at a time. It is for one goroutine at a time, except for Close, Info and
// KeepAlive. What can be done in it are its powers: see As.
//
// A session never re-creates itself: when it is gone the methods return
// ErrSessionGone and the owner decides, because the session id is the fencing token
// that separates an old owner from a new one.
type Session interface {
	Info() SessionInfo
	OS() OS
	// Await waits until the sensor has taken the session up. It must not be
	// disturbed by keepalives before that.
	Await(ctx context.Context) error
	// KeepAlive resets the sensor's wait timer; only on an active session.
	KeepAlive(ctx context.Context) error
	// Close ends the session; closing one that is gone is no error.
	Close(ctx context.Context) error
	// Commands lists this session's commands with their status.
	Commands(ctx context.Context) ([]Command, error)
	// Command returns one command with its result, with wait once it has ended.
	Command(ctx context.Context, id int64, wait bool) (Command, error)
	// Cancel takes a command back that the sensor has not started.
	Cancel(ctx context.Context, id int64) error
}

// Command is one command of a session as the server records it.
type Command struct {
	ID         int64         `json:"id"` // increases within a session; 0 is an id like others
	SessionID  string        `json:"session_id"`
	SensorID   string        `json:"sensor_id"`
	Name       string        `json:"name"`
	Object     string        `json:"object,omitempty"`
	Status     CommandStatus `json:"status"`
	ResultCode uint32        `json:"result_code,omitempty"`
	ResultType string        `json:"result_type,omitempty"`
	ResultDesc string        `json:"result_desc,omitempty"`
	CreatedAt  time.Time     `json:"created_at,omitzero"`
	EndedAt    time.Time     `json:"ended_at,omitzero"`
}

// CommandStatus is the state of a command.
type CommandStatus string

// States of a command.
const (
	CommandPending   CommandStatus = "pending"
	CommandRunning   CommandStatus = "in progress"
	CommandComplete  CommandStatus = "complete"
	CommandError     CommandStatus = "error"
	CommandCancelled CommandStatus = "cancelled"
)

// Done reports whether the command has ended.
func (s CommandStatus) Done() bool {
	return s == CommandComplete || s == CommandError || s == CommandCancelled
}

// Range is a part of a remote file; the zero value is all of it.
type Range struct {
	Offset int64 // bytes
	Count  int64 // bytes; 0 means to the end
}

// FileInfo describes bytes that went through.
type FileInfo struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`   // bytes transferred
	SHA256 string `json:"sha256"` // of those bytes, lower-case hex
}

// DirEntry is an entry of a remote directory.
type DirEntry struct {
	Name       string    `json:"name"`
	AltName    string    `json:"alt_name,omitempty"`
	Dir        bool      `json:"dir"`
	Size       int64     `json:"size"`
	Attributes []string  `json:"attributes,omitempty"`
	Created    time.Time `json:"created,omitzero"`
	Modified   time.Time `json:"modified,omitzero"`
	Accessed   time.Time `json:"accessed,omitzero"`
}

// Process is a process running on a sensor.
type Process struct {
	PID         int       `json:"pid"`
	ParentPID   int       `json:"parent_pid"`
	GUID        string    `json:"guid"`
	ParentGUID  string    `json:"parent_guid,omitempty"`
	Path        string    `json:"path"`
	CommandLine string    `json:"command_line,omitempty"`
	User        string    `json:"user,omitempty"`
	SID         string    `json:"sid,omitempty"`
	Started     time.Time `json:"started,omitzero"`
}

// ProcessSpec describes a process to start on a sensor.
type ProcessSpec struct {
	CommandLine string // already quoted for the platform: see actions.Quote
	WorkDir     string // empty: the sensor's own
	Wait        bool   // wait for its end
	OutputFile  string // path on the sensor for stdout and stderr; empty: none
}

// ProcessResult is what came of a process.
type ProcessResult struct {
	PID        int  `json:"pid"`
	ReturnCode int  `json:"return_code"`
	Exited     bool `json:"exited"` // ReturnCode counts
}

// RegistryKey is the content of a registry key.
type RegistryKey struct {
	SubKeys []string        `json:"sub_keys"`
	Values  []RegistryValue `json:"values"`
}

// RegistryValue is a registry value. Data is a string for REG_SZ, REG_EXPAND_SZ
// and REG_BINARY (hex), an int64 or uint64 for REG_DWORD and REG_QWORD, and
// []string for REG_MULTI_SZ.
type RegistryValue struct {
	Name string `json:"name"` // "" is the key's default value
	Type string `json:"type"`
	Data any    `json:"data"`
}
