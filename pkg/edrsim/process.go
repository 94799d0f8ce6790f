package edrsim

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A process runs on an endpoint. Processes are never changed once listed.
type process struct {
	pid, parent int
	path        string
	line        string
	user, sid   string
	started     time.Time
	ends        time.Time // zero: not by itself
}

const (
	userSystem = `NT AUTHORITY\SYSTEM`
	sidSystem  = "s-1-5-18"
)

// process finds one by PID.
func (e *endpoint) process(pid int) *process {
	i, ok := slices.BinarySearchFunc(e.procs, pid, func(p *process, pid int) int { return cmp.Compare(p.pid, pid) })
	if !ok {
		return nil
	}
	return e.procs[i]
}

// spawn adds a process with a fresh PID; Windows numbers them in fours.
func (e *endpoint) spawn(p process) *process {
	step := 1
	if e.windows {
		step = 4
	}
	pid := e.procs[len(e.procs)-1].pid + step
	p.pid = pid
	e.procs = append(slices.Clip(e.procs), &p)
	return &p
}

// kill ends a process.
func (e *endpoint) kill(pid int) failure {
	p := e.process(pid)
	switch {
	case p == nil || pid == 0:
		return errNoProcess
	case e.windows && pid == 4 || !e.windows && pid == 1:
		return errAccessDenied
	}
	e.procs = slices.DeleteFunc(slices.Clone(e.procs), func(q *process) bool { return q == p })
	return success
}

// guid is the server's name of a process: sensor, PID and start time in 100 ns
// since 1601. An unknown start is zero.
func guid(sensor, pid int, started time.Time) string {
	var filetime uint64
	if !started.IsZero() {
		const from1601To1970 = 116444736000000000
		filetime = uint64(started.UnixNano()/100) + from1601To1970
	}
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(sensor), uint32(pid)>>16, uint32(pid)&0xffff,
		filetime>>48, filetime&(1<<48-1))
}

// A Process is one that runs on a sensor's computer, as an event would name it.
type Process struct {
	PID               int
	GUID              string
	Path, CommandLine string
	User              string
}

// Processes lists the processes of a sensor's computer, by PID: for the demo, whose
// events name existing processes, and for tests of their end.
func (s *Server) Processes(sensorID int) ([]Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, now, err := s.sensorNow(sensorID)
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, p := range x.computer(now).procs {
		list = append(list, Process{p.pid, guid(x.id, p.pid, p.started), p.path, p.line, p.user})
	}
	return list, nil
}

// wireProcess is an entry of a process list.
type wireProcess struct {
	PID         int    `json:"pid"`
	CreateTime  int64  `json:"create_time"`
	ProcGUID    string `json:"proc_guid"`
	Path        string `json:"path"`
	CommandLine string `json:"command_line"`
	SID         string `json:"sid"`
	Username    string `json:"username"`
	Parent      int    `json:"parent"`
	ParentGUID  string `json:"parent_guid"`
}

// wireProcesses lists what runs, by PID.
func (e *endpoint) wireProcesses(sensor int) []wireProcess {
	list := make([]wireProcess, 0, len(e.procs))
	for _, p := range e.procs {
		var parentStart time.Time
		if parent := e.process(p.parent); parent != nil {
			parentStart = parent.started
		}
		list = append(list, wireProcess{
			PID: p.pid, CreateTime: p.started.Unix(), ProcGUID: guid(sensor, p.pid, p.started),
			Path: p.path, CommandLine: p.line, SID: p.sid, Username: p.user,
			Parent: p.parent, ParentGUID: guid(sensor, p.parent, parentStart),
		})
	}
	return list
}
