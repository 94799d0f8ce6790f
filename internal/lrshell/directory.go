package lrshell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"edrpipe/internal/printable"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/lr"
)

func lsCommand() Command {
	return Command{
		Name: "ls", Args: "[PATH|PATTERN]", Summary: "list a directory, or what a pattern matches", Max: 1,
		Complete: []Kind{RemotePath},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			entries, err := s.list(ctx, strings.Join(args, ""))
			if err != nil {
				return err
			}
			return s.showEntries(entries)
		},
	}
}

// list lists a directory's content, with or without the final separator of its path.
func (s *Shell) list(ctx context.Context, path string) ([]edr.DirEntry, error) {
	if err := s.locate(ctx); err != nil {
		return nil, err
	}
	path = s.abs(path)
	if strings.ContainsAny(path, "*?") || strings.HasSuffix(path, s.separator()) {
		return s.Endpoint.List(ctx, path)
	}
	entries, err := s.Endpoint.List(ctx, path)
	if err == nil && len(entries) == 1 && entries[0].Dir {
		return s.Endpoint.List(ctx, s.asDir(path))
	}
	return entries, err
}

func (s *Shell) showEntries(entries []edr.DirEntry) error {
	return s.show(entries, func(t table.Writer) {
		t.AppendHeader(table.Row{"modified", "size", "attributes", "name"})
		t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}})
		for _, e := range entries {
			size := any(e.Size)
			name := printable.Line(e.Name)
			if e.Dir {
				size, name = "", name+s.separator()
			}
			t.AppendRow(table.Row{when(e.Modified), size, printable.Line(strings.Join(e.Attributes, " ")), name})
		}
	})
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func cdCommand() Command {
	return Command{
		Name: "cd", Args: "DIR", Summary: "change the directory that relative paths start from", Min: 1, Max: 1,
		Complete: []Kind{RemoteDir},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			if err := s.locate(ctx); err != nil {
				return err
			}
			dir := s.asDir(s.abs(args[0]))
			if _, err := s.Endpoint.List(ctx, dir); err != nil {
				return err
			}
			s.cwd = dir
			return nil
		},
	}
}

// locate finds out the working directory when it is first needed.
func (s *Shell) locate(ctx context.Context) error {
	if s.cwd != "" {
		return nil
	}
	return s.Endpoint.Do(ctx, func(session *lr.Session) error {
		s.cwd = session.Info().WorkDir
		switch {
		case s.cwd != "":
			s.cwd = s.asDir(s.cwd)
		case s.windows():
			s.cwd = `C:\`
		default:
			s.cwd = "/"
		}
		return nil
	})
}

func pwdCommand() Command {
	return Command{
		Name: "pwd", Summary: "show the directory that relative paths start from",
		Run: func(ctx context.Context, s *Shell, _ any, _ []string) error {
			if err := s.locate(ctx); err != nil {
				return err
			}
			return s.say(s.cwd, "%s", printable.Line(s.cwd))
		},
	}
}

func rmCommand() Command {
	return Command{
		Name: "rm", Args: "PATH...", Summary: "delete files", Min: 1, Max: -1,
		Complete: []Kind{RemotePath},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			if err := s.locate(ctx); err != nil {
				return err
			}
			for _, path := range args {
				if err := s.Endpoint.DeleteFile(ctx, s.abs(path)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func mkdirCommand() Command {
	return Command{
		Name: "mkdir", Args: "DIR...", Summary: "create directories", Min: 1, Max: -1,
		Complete: []Kind{RemoteDir},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			if err := s.locate(ctx); err != nil {
				return err
			}
			for _, path := range args {
				if err := s.Endpoint.MakeDir(ctx, strings.TrimRight(s.abs(path), s.separator())); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func drivesCommand() Command {
	return Command{
		Name: "drives", Summary: "list the drives",
		Run: func(ctx context.Context, s *Shell, _ any, _ []string) error {
			return s.Endpoint.Do(ctx, func(session *lr.Session) error {
				drives := session.Info().Drives
				return s.show(drives, func(t table.Writer) {
					for _, d := range drives {
						t.AppendRow(table.Row{printable.Line(d)})
					}
				})
			})
		},
	}
}

// walked is an entry of a walk in JSON.
type walked struct {
	Path string `json:"path"`
	edr.DirEntry
	Error string `json:"error,omitempty"`
}

func walkCommand() Command {
	return Command{
		Name: "walk", Args: "[DIR]", Summary: "list everything below a directory, one path a line", Max: 1,
		Complete: []Kind{RemoteDir},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			if err := s.locate(ctx); err != nil {
				return err
			}
			var all []walked
			failed := 0
			err := s.Endpoint.Walk(ctx, s.abs(strings.Join(args, "")), func(path string, e edr.DirEntry, err error) error {
				switch {
				case err != nil && s.JSON:
					failed++
					all = append(all, walked{Path: path, DirEntry: e, Error: err.Error()})
				case err != nil:
					failed++
					fmt.Fprintf(s.Err, "%v\n", err)
				case s.JSON:
					all = append(all, walked{Path: path, DirEntry: e})
				default:
					fmt.Fprintln(s.Out, printable.Line(path))
				}
				return nil
			})
			if s.JSON {
				err = errors.Join(err, s.show(all, nil))
			}
			if err == nil && failed > 0 {
				err = fmt.Errorf("%d directories could not be listed", failed)
			}
			return err
		},
	}
}
