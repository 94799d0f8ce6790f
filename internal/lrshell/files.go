package lrshell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"edrpipe/internal/printable"
	"edrpipe/pkg/edr"
)

func catCommand() Command {
	return Command{
		Name: "cat", Args: "REMOTE", Summary: "write a file to standard output, byte for byte", Min: 1, Max: 1,
		Complete: []Kind{RemotePath},
		Run: func(ctx context.Context, s *Shell, _ any, args []string) error {
			if err := s.locate(ctx); err != nil {
				return err
			}
			_, err := s.Endpoint.GetFile(ctx, s.abs(args[0]), edr.Range{}, s.data())
			return err
		},
	}
}

type getFlags struct {
	force         bool
	offset, count int64
}

func getCommand() Command {
	return Command{
		Name: "get", Args: "REMOTE [LOCAL]", Summary: "copy a file from the endpoint; LOCAL - is standard output", Min: 1, Max: 2,
		Complete: []Kind{RemotePath, LocalPath},
		Flags: func(f *pflag.FlagSet) any {
			g := new(getFlags)
			f.BoolVarP(&g.force, "force", "f", false, "overwrite the local file")
			f.Int64Var(&g.offset, "offset", 0, "first byte to copy")
			f.Int64Var(&g.count, "count", 0, "how many bytes to copy; 0: to the end")
			return g
		},
		Run: func(ctx context.Context, s *Shell, flags any, args []string) error {
			return s.get(ctx, *flags.(*getFlags), args)
		},
	}
}

func (s *Shell) get(ctx context.Context, f getFlags, args []string) error {
	if err := s.locate(ctx); err != nil {
		return err
	}
	remote := s.abs(args[0])
	if len(args) == 2 && args[1] == "-" {
		_, err := s.Endpoint.GetFile(ctx, remote, edr.Range{Offset: f.offset, Count: f.count}, s.data())
		return err
	}
	local, err := localName(s.base(remote), args[1:])
	if err != nil {
		return err
	}
	if _, err := os.Lstat(local); err == nil && !f.force {
		return fmt.Errorf("%s: %w; -f overwrites it", local, fs.ErrExist)
	}
	// A temporary name until it is complete: a part is never taken for the file.
	part, err := os.CreateTemp(filepath.Dir(local), ".edrpipe-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name()) // fails once it has been renamed
	defer part.Close()
	bar := s.bar("get "+s.base(remote), s.sizeOf(ctx, remote, f))
	info, err := s.Endpoint.GetFile(ctx, remote, edr.Range{Offset: f.offset, Count: f.count}, io.MultiWriter(part, bar))
	bar.End()
	if err != nil {
		return err
	}
	if err := errors.Join(part.Sync(), part.Close()); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), local); err != nil {
		return err
	}
	return s.say(info, "%s: %d bytes, sha256 %s", local, info.Size, info.SHA256)
}

// sizeOf is how many bytes will come, for the progress bar; 0 if unknown.
func (s *Shell) sizeOf(ctx context.Context, remote string, f getFlags) int64 {
	if f.count > 0 || !s.Progress {
		return f.count
	}
	entry, err := s.Endpoint.Stat(ctx, remote)
	if err != nil {
		return 0
	}
	return max(entry.Size-f.offset, 0)
}

// localName is the local path for a remote file: its own name in a directory. A name
// that ends in a slash is a directory, which is made.
func localName(base string, args []string) (string, error) {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
		if dir != "" && os.IsPathSeparator(dir[len(dir)-1]) {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return "", err
			}
		}
		if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
			return dir, nil
		}
	}
	if base == "" || base == "." || base == ".." || strings.ContainsAny(base, "/\x00") {
		return "", fmt.Errorf("%w: %q cannot be a local file name; give one", ErrUsage, base)
	}
	return filepath.Join(dir, base), nil
}

func putCommand() Command {
	return Command{
		Name: "put", Args: "LOCAL [REMOTE]", Summary: "copy a file to the endpoint; LOCAL - is standard input", Min: 1, Max: 2,
		Complete: []Kind{LocalPath, RemotePath},
		Flags: func(f *pflag.FlagSet) any {
			return f.BoolP("force", "f", false, "overwrite the remote file")
		},
		Run: func(ctx context.Context, s *Shell, flags any, args []string) error {
			return s.put(ctx, *flags.(*bool), args)
		},
	}
}

func (s *Shell) put(ctx context.Context, force bool, args []string) error {
	if err := s.locate(ctx); err != nil {
		return err
	}
	remote := filepath.Base(args[0])
	if len(args) == 2 {
		remote = args[1]
	}
	remote = s.abs(remote)
	if strings.HasSuffix(remote, s.separator()) {
		remote += filepath.Base(args[0])
	}
	src, size, err := s.open(args[0])
	if err != nil {
		return err
	}
	defer src.Close()
	if force {
		if err := s.Endpoint.DeleteFile(ctx, remote); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	bar := s.bar("put "+filepath.Base(args[0]), size)
	info, err := s.Endpoint.PutFile(ctx, remote, bar.reading(src))
	bar.End()
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w; -f overwrites it", err)
	}
	if err != nil {
		return err
	}
	return s.say(info, "%s: %d bytes, sha256 %s", printable.Line(remote), info.Size, info.SHA256)
}

// open opens a local file, or standard input for "-".
func (s *Shell) open(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(s.In), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err == nil && fi.IsDir() {
		err = fmt.Errorf("%s is a directory", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, fi.Size(), nil
}

// data is where the bytes of a file go that is printed.
func (s *Shell) data() io.Writer {
	if s.Data != nil {
		return s.Data
	}
	return s.Out
}
