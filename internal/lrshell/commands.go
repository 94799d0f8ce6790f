package lrshell

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"
)

// commands is the table of commands, in the order of help.
func commands() []Command {
	return []Command{
		lsCommand(), cdCommand(), pwdCommand(), catCommand(), getCommand(), putCommand(), rmCommand(), mkdirCommand(), walkCommand(),
		psCommand(), killCommand(), execCommand(),
		regCommand(), memdumpCommand(), drivesCommand(), infoCommand(), archiveCommand(),
		helpCommand(), exitCommand(),
	}
}

var aliases = map[string]string{
	"dir": "ls", "del": "rm", "type": "cat", "md": "mkdir", "run": "exec", "execute": "exec",
	"quit": "exit", "?": "help", "download": "get", "upload": "put",
}

func lookup(name string) (Command, bool) {
	if full, ok := aliases[name]; ok {
		name = full
	}
	all := commands()
	i := slices.IndexFunc(all, func(c Command) bool { return c.Name == name })
	if i < 0 {
		return Command{}, false
	}
	return all[i], true
}

func helpCommand() Command {
	return Command{
		Name: "help", Args: "[COMMAND]", Summary: "list the commands, or explain one", Max: 1,
		Complete: []Kind{CommandName},
		Run: func(_ context.Context, s *Shell, _ any, args []string) error {
			if len(args) == 1 {
				cmd, ok := lookup(args[0])
				if !ok {
					return fmt.Errorf("%w: there is no command %q", ErrUsage, args[0])
				}
				s.explain(cmd)
				return nil
			}
			return s.show(nil, func(t table.Writer) {
				for _, c := range commands() {
					t.AppendRow(table.Row{strings.TrimSpace(c.Name + " " + c.Args), c.Summary})
				}
			})
		},
	}
}

// explain prints the help of one command.
func (s *Shell) explain(cmd Command) {
	fmt.Fprintf(s.Out, "%s %s\n  %s\n", cmd.Name, cmd.Args, cmd.Summary)
	flags := pflag.NewFlagSet(cmd.Name, pflag.ContinueOnError)
	flags.Bool("json", false, "result as JSON")
	if cmd.Flags != nil {
		cmd.Flags(flags)
	}
	fmt.Fprint(s.Out, flags.FlagUsages())
}

func exitCommand() Command {
	return Command{
		Name: "exit", Summary: "close the session and leave",
		Run: func(context.Context, *Shell, any, []string) error { return errExit },
	}
}
