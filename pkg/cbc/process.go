package cbc

import (
	"context"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// processJSON is a process in the names of both generations.
type processJSON struct {
	PID       *number `json:"process_pid"`
	OldPID    number  `json:"pid"`
	Path      text    `json:"process_path"`
	OldPath   text    `json:"path"`
	Line      text    `json:"process_cmdline"`
	OldLine   text    `json:"command_line"`
	User      text    `json:"process_username"`
	OldUser   text    `json:"username"`
	Parent    *number `json:"parent_pid"`
	OldParent number  `json:"parent"`
	SID       text    `json:"sid"`
	Created   moment  `json:"create_time"`
}

func (p processJSON) process() edr.Process {
	pid, parent := p.OldPID, p.OldParent
	if p.PID != nil {
		pid = *p.PID
	}
	if p.Parent != nil {
		parent = *p.Parent
	}
	return edr.Process{
		PID: int(pid), ParentPID: int(parent), Path: first(p.Path, p.OldPath), CommandLine: first(p.Line, p.OldLine),
		User: first(p.User, p.OldUser), SID: string(p.SID), Started: p.Created.Time,
	}
}

// Processes lists what runs on the device.
func (s *Session) Processes(ctx context.Context) ([]edr.Process, error) {
	done, err := s.run(ctx, command{name: cmdProcesses})
	if err != nil {
		return nil, err
	}
	all := make([]edr.Process, len(done.Processes))
	for i, p := range done.Processes {
		all[i] = p.process()
	}
	return all, nil
}

// Kill ends a process.
func (s *Session) Kill(ctx context.Context, pid int) error {
	_, err := s.run(ctx, command{name: cmdKill, args: map[string]any{"pid": pid}, changes: true})
	return err
}

// Run starts a process and, with p.Wait, waits for its end. The product documents
// neither a PID nor a return code in the answer: where there is none, Exited is false.
func (s *Session) Run(ctx context.Context, p edr.ProcessSpec) (edr.ProcessResult, error) {
	args := map[string]any{"wait": p.Wait}
	if p.WorkDir != "" {
		args["working_directory"] = p.WorkDir
	}
	if p.OutputFile != "" {
		args["output_file"] = p.OutputFile
	}
	done, err := s.run(ctx, command{name: cmdRun, path: p.CommandLine, args: args, changes: true})
	if err != nil {
		return edr.ProcessResult{}, err
	}
	r := edr.ProcessResult{PID: int(done.PID)}
	if p.Wait && done.ReturnCode != nil {
		r.ReturnCode, r.Exited = int(*done.ReturnCode), true
	}
	return r, nil
}

// Output runs a process to its end and returns what it wrote to stdout and stderr:
// see liveresponse.Output.
func (s *Session) Output(ctx context.Context, p edr.ProcessSpec) ([]byte, edr.ProcessResult, error) {
	return liveresponse.Output(ctx, s, s.os, p)
}
