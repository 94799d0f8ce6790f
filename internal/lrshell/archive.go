package lrshell

import (
	"context"
	"errors"
	"io"
	"os"

	"edrpipe/pkg/lr"
)

func archiveCommand() Command {
	return Command{
		Name: "archive", Args: "LOCAL", Summary: "save the session's commands, results and files (tar.gz)", Min: 1, Max: 1,
		Complete: []Kind{LocalPath},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			bar := s.bar("archive", 0)
			err = s.Endpoint.Do(ctx, func(session *lr.Session) error {
				return session.Archive(ctx, io.MultiWriter(f, bar))
			})
			bar.End()
			if err = errors.Join(err, f.Close()); err != nil {
				return errors.Join(err, os.Remove(args[0]))
			}
			return s.say(map[string]any{"path": args[0], "size": bar.n}, "%s: %d bytes", args[0], bar.n)
		},
	}
}
