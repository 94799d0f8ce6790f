package lr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"

	"edrpipe/pkg/edr"
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

// maxOutput bounds what Output keeps in memory, in bytes.
const maxOutput = 16 << 20

// Output runs a process to its end and returns what it wrote to stdout and
// stderr, at most 16 MiB: through a temporary file on the sensor, which is
// deleted afterwards. For more, Run with an OutputFile and GetFile it.
func (s *Session) Output(ctx context.Context, p edr.ProcessSpec) ([]byte, edr.ProcessResult, error) {
	return output(ctx, s, s.os, p)
}

// runner is what Output needs of a Session or an Endpoint.
type runner interface {
	Run(ctx context.Context, p edr.ProcessSpec) (edr.ProcessResult, error)
	GetFile(ctx context.Context, path string, r edr.Range, w io.Writer) (edr.FileInfo, error)
	DeleteFile(ctx context.Context, path string) error
}

func output(ctx context.Context, on runner, os edr.OS, p edr.ProcessSpec) ([]byte, edr.ProcessResult, error) {
	p.Wait = true
	if p.OutputFile == "" {
		p.OutputFile = tempName(os)
	}
	r, err := on.Run(ctx, p)
	if err != nil {
		return nil, r, err
	}
	var out bytes.Buffer
	_, err = on.GetFile(ctx, p.OutputFile, edr.Range{}, &limited{w: &out, left: maxOutput})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, r, nil // a silent process may leave no file
	}
	if del := on.DeleteFile(ctx, p.OutputFile); del != nil && err == nil {
		err = fmt.Errorf("temporary output file stays on the sensor: %w", del)
	}
	return out.Bytes(), r, err
}

// tempName is a path on the sensor that nothing else uses.
func tempName(os edr.OS) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	name := make([]byte, 12)
	for i := range name {
		name[i] = letters[rand.IntN(len(letters))]
	}
	if os == edr.Windows {
		return `c:\windows\temp\cblr.` + string(name) + ".tmp"
	}
	return "/tmp/cblr." + string(name) + ".tmp"
}

// limited refuses to write more than left bytes.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.left {
		return 0, fmt.Errorf("output is larger than %d bytes", maxOutput)
	}
	l.left -= len(b)
	return l.w.Write(b)
}
