package lrshell

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"

	"edrpipe/internal/printable"
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
					t.AppendRow(table.Row{p.PID, p.ParentPID, when(p.Started), printable.Line(p.User), printable.Line(line)})
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

// commandLine joins a program and its arguments. One argument is a command line
// as it stands. Only what needs quotes gets them: cmd.exe's own commands are not
// found in quotes, and a person means what stands there.
func commandLine(os edr.OS, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	words := make([]string, len(args))
	for i, a := range args {
		switch {
		case a != "" && !strings.ContainsAny(a, " \t\"'"):
			words[i] = a
		case os != edr.Windows:
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		case strings.Contains(a, `"`):
			return "", fmt.Errorf("%w: an argument has a double quote; give the whole command line as one argument", ErrUsage)
		default:
			end := a[len(strings.TrimRight(a, `\`)):] // backslashes before a quote count double
			words[i] = `"` + a + end + `"`
		}
	}
	return strings.Join(words, " "), nil
}

// executed is the result of exec in JSON.
type executed struct {
	edr.ProcessResult
	Output string `json:"output,omitempty"`
}

func (s *Shell) exec(ctx context.Context, f execFlags, args []string) error {
	line, err := commandLine(s.Sensor.OS, args)
	if err != nil {
		return err
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
		_, err = fmt.Fprint(s.Out, printable.Text(string(out)))
	}
	if err == nil && r.ReturnCode != 0 {
		err = fmt.Errorf("%s ended with return code %d", printable.Line(line), r.ReturnCode)
	}
	return err
}
