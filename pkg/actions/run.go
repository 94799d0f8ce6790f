package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
)

// RunParams are the parameters of run.
type RunParams struct {
	File  string   `json:"file" required:"true" literal:"true" names:"script" doc:"script or program in the set of files that rules may upload; its ending says how it is run"`
	Flags []string `json:"flags" literal:"true" doc:"first arguments, fixed by the rule"`
	Args  []string `json:"args" doc:"further arguments; text from the event may go here"`
	Keep  bool     `json:"keep" doc:"leave the file on the endpoint afterwards"`

	Options
	Reach
}

var _ = Register(Definition[RunParams, ProcessOutput]{
	Is: Spec{
		Name:        "run",
		Summary:     "Put a script or program from the file set on the endpoint and run it",
		Class:       Once,
		Powers:      []edr.Power{edr.PowerRun, edr.PowerFiles},
		Session:     true,
		Destructive: true,
		Commands:    []string{"put file", "create process", "get file", "delete file"},
		Permissions: []string{permitLiveResponse},
	},
	Do: runScript,
})

func (p RunParams) refusedOn(os edr.OS, written map[string]any) error {
	return checkArgs(p.File, os, written, argumentsOf{p.Flags, p.Args, p.Options, p.Reach})
}

func runScript(ctx context.Context, t *Task, p RunParams) (ProcessOutput, error) {
	s, err := sessionWith[runSession](ctx, t)
	if err != nil {
		return ProcessOutput{}, err
	}
	remote := t.tempPath(s.OS(), strings.ToLower(path.Ext(p.File)))
	if err := p.refusedOn(s.OS(), t.With); err != nil {
		return ProcessOutput{}, err
	}
	line, err := scriptLine(s.OS(), remote, p)
	if err != nil {
		return ProcessOutput{}, err
	}
	// A file of that name can only be what an earlier attempt of this step left.
	if err := s.DeleteFile(ctx, remote); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ProcessOutput{}, err
	}
	if _, err := t.upload(ctx, s, p.File, remote); err != nil {
		return ProcessOutput{}, err
	}
	out, err := t.execute(ctx, s, edr.ProcessSpec{CommandLine: line, Wait: true})
	if err != nil || p.Keep {
		return out, err
	}
	if err := s.DeleteFile(ctx, remote); err != nil && !unreadable(err) {
		return out, err
	}
	return out, nil
}

// scriptLine is the command line that runs a script by its ending.
func scriptLine(os edr.OS, remote string, p RunParams) (string, error) {
	program, before, options := interpreter(os, remote)
	for _, arg := range p.Args {
		if !p.AllowOptions && slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(arg, o) }) {
			return "", fmt.Errorf("run %s: argument %s would be read as an option; fixed options go in flags", edr.Quote(remote), edr.Quote(shorten(arg)))
		}
	}
	return Quote(os, program, slices.Concat(before, p.Flags, p.Args)...)
}

// dashes begin a parameter's name in PowerShell: the hyphen, and what word
// processors make of it.
var dashes = []string{"-", "\u2013", "\u2014", "\u2015"}

// interpreter says what runs a file, the arguments before the script's own, and
// how an argument begins that the interpreter would take for an option even
// after the script's name.
func interpreter(os edr.OS, remote string) (program string, before []string, options []string) {
	ext := path.Ext(remote)
	if os == edr.Windows {
		switch ext {
		case ".ps1":
			return `c:\windows\system32\windowspowershell\v1.0\powershell.exe`,
				[]string{"-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", remote}, dashes
		case ".vbs", ".js":
			return `c:\windows\system32\cscript.exe`, []string{"//NoLogo", "//B", remote}, []string{"//"}
		}
		return remote, nil, nil // a program, or a batch file, which Quote knows
	}
	switch ext {
	case ".py":
		return "/usr/bin/python3", []string{remote}, nil
	case ".bash":
		return "/bin/bash", []string{remote}, nil
	}
	return "/bin/sh", []string{remote}, nil // an uploaded file is not executable
}
