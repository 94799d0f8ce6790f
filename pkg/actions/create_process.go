package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
)

// CreateProcessParams are the parameters of create_process. Event text can only
// become an argument, never the program or an option.
type CreateProcessParams struct {
	Program Program  `json:"program" required:"true" literal:"true" doc:"path of the program on the endpoint"`
	Flags   []string `json:"flags" literal:"true" doc:"first arguments, fixed by the rule"`
	Args    []string `json:"args" doc:"further arguments; text from the event may go here"`
	WorkDir Program  `json:"work_dir" literal:"true" doc:"directory to run in"`
	Wait    bool     `json:"wait" default:"true" doc:"wait for its end and take what it prints"`

	Options
	Reach
}

// Validate keeps event text away from programs that would run it.
func (p CreateProcessParams) Validate() error {
	if len(p.Args) > 0 && isInterpreter(string(p.Program)) {
		return fmt.Errorf("%s may run its arguments as code: put them in flags if they are fixed, or use run with a script", baseName(string(p.Program)))
	}
	return nil
}

func (p CreateProcessParams) refusedOn(os edr.OS, written map[string]any) error {
	return checkArgs(string(p.Program), os, written, argumentsOf{p.Flags, p.Args, p.Options, p.Reach})
}

// ProcessOutput is what came of a program.
type ProcessOutput struct {
	CommandLine string `json:"command_line"`
	PID         int    `json:"pid"`
	ReturnCode  int    `json:"return_code"`
	Exited      bool   `json:"exited" doc:"return_code counts"`
	Output      string `json:"output" doc:"first 64 KiB of what it printed"`
	Truncated   bool   `json:"truncated"`
}

var _ = Register(Definition[CreateProcessParams, ProcessOutput]{
	Is: Spec{
		Name:        "create_process",
		Summary:     "Run a program that is on the endpoint",
		Class:       Once,
		Powers:      []edr.Power{edr.PowerRun, edr.PowerFiles},
		Session:     true,
		Destructive: true,
		Commands:    []string{"create process", "get file", "delete file"},
		Permissions: []string{permitLiveResponse},
	},
	Do: func(ctx context.Context, t *Task, p CreateProcessParams) (ProcessOutput, error) {
		s, err := sessionWith[runSession](ctx, t)
		if err != nil {
			return ProcessOutput{}, err
		}
		if err := p.refusedOn(s.OS(), t.With); err != nil {
			return ProcessOutput{}, err
		}
		line, err := Quote(s.OS(), string(p.Program), slices.Concat(p.Flags, p.Args)...)
		if err != nil {
			return ProcessOutput{}, err
		}
		return t.execute(ctx, s, edr.ProcessSpec{CommandLine: line, WorkDir: string(p.WorkDir), Wait: p.Wait})
	},
})

// maxOutput is how much of a program's output goes into the job record, bytes.
const maxOutput = 64 << 10

// execute runs a command line and fetches what it printed.
func (t *Task) execute(ctx context.Context, s runSession, spec edr.ProcessSpec) (ProcessOutput, error) {
	out := ProcessOutput{CommandLine: spec.CommandLine}
	if spec.Wait {
		spec.OutputFile = t.tempPath(s.OS(), ".out")
	}
	result, err := s.Run(ctx, spec)
	if err != nil {
		return out, fmt.Errorf("run %s on sensor %s: %w", shorten(spec.CommandLine), t.Sensor.ID, err)
	}
	out.PID, out.ReturnCode, out.Exited = result.PID, result.ReturnCode, result.Exited
	if !spec.Wait {
		return out, nil
	}
	var printed bytes.Buffer
	_, err = s.GetFile(ctx, spec.OutputFile, edr.Range{Count: maxOutput + 1}, &printed)
	if errors.Is(err, fs.ErrNotExist) { // it printed nothing
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("fetch what %s printed on sensor %s: %w", shorten(spec.CommandLine), t.Sensor.ID, err)
	}
	if err := s.DeleteFile(ctx, spec.OutputFile); err != nil && !unreadable(err) {
		return out, err
	}
	text := printed.Bytes()
	out.Truncated = len(text) > maxOutput
	out.Output = strings.ToValidUTF8(string(text[:min(len(text), maxOutput)]), "\uFFFD")
	return out, nil
}
