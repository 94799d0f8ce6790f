package lr

import (
	"context"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

type processJSON struct {
	PID        number `json:"pid"`
	Parent     number `json:"parent"`
	GUID       text   `json:"proc_guid"`
	ParentGUID text   `json:"parent_guid"`
	Path       text   `json:"path"`
	Cmdline    text   `json:"command_line"`
	Username   text   `json:"username"`
	SID        text   `json:"sid"`
	Created    moment `json:"create_time"`
}

// Processes lists what runs on the sensor.
func (s *Session) Processes(ctx context.Context) ([]edr.Process, error) {
	done, err := s.run(ctx, command{name: cmdProcesses})
	if err != nil {
		return nil, err
	}
	all := make([]edr.Process, len(done.Processes))
	for i, p := range done.Processes {
		all[i] = edr.Process{
			PID: int(p.PID), ParentPID: int(p.Parent), GUID: string(p.GUID), ParentGUID: string(p.ParentGUID),
			Path: string(p.Path), CommandLine: string(p.Cmdline), User: string(p.Username), SID: string(p.SID),
			Started: p.Created.Time,
		}
	}
	return all, nil
}

// Kill ends a process.
func (s *Session) Kill(ctx context.Context, pid int) error {
	_, err := s.run(ctx, command{name: cmdKill, object: pid, changes: true})
	return err
}

// Run starts a process and, with p.Wait, waits for its end.
func (s *Session) Run(ctx context.Context, p edr.ProcessSpec) (edr.ProcessResult, error) {
	args := map[string]any{"wait": p.Wait}
	if p.WorkDir != "" {
		args["working_directory"] = p.WorkDir
	}
	if p.OutputFile != "" {
		args["output_file"] = p.OutputFile
	}
	done, err := s.run(ctx, command{name: cmdRun, object: p.CommandLine, args: args, changes: true})
	if err != nil {
		return edr.ProcessResult{}, err
	}
	r := edr.ProcessResult{PID: int(done.PID)}
	if p.Wait && done.ReturnCode != nil {
		r.ReturnCode, r.Exited = int(*done.ReturnCode), true
	}
	return r, nil
}

// Output runs a process to its end and returns what it wrote to stdout and
// stderr, at most 16 MiB: through a temporary file on the sensor, which is
// deleted afterwards. For more, Run with an OutputFile and GetFile it.
func (s *Session) Output(ctx context.Context, p edr.ProcessSpec) ([]byte, edr.ProcessResult, error) {
	return liveresponse.Output(ctx, s, s.os, p)
}
