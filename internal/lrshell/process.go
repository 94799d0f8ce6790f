package lrshell

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

func psCommand() Command {
	return Command{
		Name: "ps", Args: "[TEXT]", Summary: "list processes, or those whose path, command line or user contains TEXT", Max: 1,
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			all, err := s.Endpoint.Processes(ctx)
			if err != nil {
				return err
			}
			all = containing(all, strings.ToLower(strings.Join(args, "")))
			return s.show(all, func(t table.Writer) {
				t.AppendHeader(table.Row{"pid", "parent", "started", "user", "command line"})
				for _, p := range all {
					line := p.CommandLine
					if line == "" {
						line = p.Path
					}
					t.AppendRow(table.Row{p.PID, p.ParentPID, when(p.Started), printable(p.User), printable(line)})
				}
			})
		},
	}
}

func containing(all []edr.Process, text string) []edr.Process {
	some := []edr.Process{}
	for _, p := range all {
		if strings.Contains(strings.ToLower(p.Path+"\n"+p.CommandLine+"\n"+p.User), text) {
			some = append(some, p)
		}
	}
	return some
}

func killCommand() Command {
	return Command{
		Name: "kill", Args: "PID...", Summary: "end processes", Min: 1, Max: -1, Complete: []Kind{PID},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			for _, a := range args {
				pid, err := strconv.Atoi(a)
				if err != nil || pid <= 0 {
					return fmt.Errorf("%w: %q is not a process id", ErrUsage, a)
				}
				if err := s.Endpoint.Kill(ctx, pid); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

type execFlags struct {
	detach bool
	dir    string
}

func execCommand() Command {
	return Command{
		Name: "exec", Args: "COMMAND LINE", Summary: "run a program and show its output; its options come after its name", Min: 1, Max: -1, Raw: true,
		Complete: []Kind{RemotePath},
		Flags: func(f *pflag.FlagSet) any {
			e := new(execFlags)
			f.BoolVarP(&e.detach, "detach", "d", false, "do not wait for its end")
			f.StringVarP(&e.dir, "workdir", "w", "", "directory to run in")
			return e
		},
		Run: func(ctx context.Context, s *Shell, flags any, args []string) error {
			return s.exec(ctx, *flags.(*execFlags), args)
		},
	}
}

// executed is the result of exec in JSON.
type executed struct {
	edr.ProcessResult
	Output string `json:"output,omitempty"`
}

func (s *Shell) exec(ctx context.Context, f execFlags, args []string) error {
	line := args[0] // one argument is a command line as it stands
	if len(args) > 1 {
		var err error
		if line, err = actions.Quote(s.Sensor.OS, args[0], args[1:]...); err != nil {
			return err
		}
	}
	spec := edr.ProcessSpec{CommandLine: line, WorkDir: f.dir, Wait: !f.detach}
	if f.detach {
		r, err := s.Endpoint.Run(ctx, spec)
		if err != nil {
			return err
		}
		return s.say(r, "pid %d", r.PID)
	}
	out, r, err := s.Endpoint.Output(ctx, spec)
	if err != nil {
		return err
	}
	if s.JSON {
		err = s.show(executed{r, string(out)}, nil)
	} else {
		_, err = fmt.Fprint(s.Out, printableLines(string(out)))
	}
	if err == nil && r.ReturnCode != 0 {
		err = fmt.Errorf("%s ended with return code %d", printable(line), r.ReturnCode)
	}
	return err
}
