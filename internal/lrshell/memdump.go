package lrshell

import (
	"context"

	"github.com/spf13/pflag"

	"edrpipe/internal/printable"
)

func memdumpCommand() Command {
	return Command{
		Name: "memdump", Args: "REMOTE", Summary: "write the machine's memory to a file on the endpoint; get it from there", Min: 1, Max: 1,
		Complete: []Kind{RemotePath},
		Flags: func(f *pflag.FlagSet) any {
			return f.BoolP("compress", "z", false, "compress; the file's name gets .zip")
		},
		Run: func(ctx context.Context, s *Shell, flags any, args []string) error {
			if err := s.locate(ctx); err != nil {
				return err
			}
			bar := s.bar("memdump", 0)
			path, err := s.Endpoint.DumpMemory(ctx, s.abs(args[0]), *flags.(*bool), bar.percent)
			bar.End()
			if err != nil {
				return err
			}
			return s.say(map[string]string{"path": path}, "%s", printable.Line(path))
		},
	}
}
