package actions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"edrpipe/pkg/edr"
)

// PutFileParams are the parameters of put_file.
type PutFileParams struct {
	File      string     `json:"file" required:"true" literal:"true" names:"script" doc:"name in the set of files that rules may upload"`
	Path      RemotePath `json:"path" required:"true" doc:"where to put it on the endpoint, with its file name"`
	Overwrite bool       `json:"overwrite" doc:"replace a file that is there"`

	Reach
}

// FileOutput is the file on the endpoint after the step.
type FileOutput struct {
	Path   string `json:"path"`
	Size   int64  `json:"size" doc:"bytes"`
	SHA256 string `json:"sha256"`
}

var _ = Register(Definition[PutFileParams, FileOutput]{
	Is: Spec{
		Name:        "put_file",
		Summary:     "Put a file from the file set on the endpoint",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerFiles},
		Session:     true,
		Destructive: true,
		Commands:    []string{"put file", "get file", "delete file", "directory list"},
		Permissions: []string{permitLiveResponse},
	},
	Do:      putFile,
	Already: alreadyPut,
})

func putFile(ctx context.Context, t *Task, p PutFileParams) (FileOutput, error) {
	s, err := sessionWith[fileSession](ctx, t)
	if err != nil {
		return FileOutput{}, err
	}
	if p.Overwrite {
		if err := s.DeleteFile(ctx, string(p.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return FileOutput{}, err
		}
	}
	return t.upload(ctx, s, p.File, string(p.Path))
}

// upload streams a file of the file set to the endpoint.
func (t *Task) upload(ctx context.Context, s fileSession, name, path string) (FileOutput, error) {
	src, err := t.script(name)
	if err != nil {
		return FileOutput{}, err
	}
	defer src.Close()
	info, err := s.PutFile(ctx, path, src)
	if err != nil {
		return FileOutput{}, fmt.Errorf("put %q as %s on sensor %s: %w", name, edr.Quote(path), t.Sensor.ID, err)
	}
	return FileOutput{Path: path, Size: info.Size, SHA256: info.SHA256}, nil
}

func (t *Task) script(name string) (io.ReadCloser, error) {
	if t.Scripts == nil {
		return nil, fmt.Errorf("file %q: there is no file set", name)
	}
	src, err := t.Scripts.Open(name)
	if err != nil {
		return nil, fmt.Errorf("file %q of the file set: %w", name, err)
	}
	return src, nil
}

// alreadyPut compares the endpoint's file with ours byte for byte.
func alreadyPut(ctx context.Context, t *Task, p PutFileParams) (bool, FileOutput, error) {
	s, err := sessionWith[fileSession](ctx, t)
	if err != nil {
		return false, FileOutput{}, err
	}
	src, err := t.script(p.File)
	if err != nil {
		return false, FileOutput{}, err
	}
	defer src.Close()
	ours := sha256.New()
	size, err := io.Copy(ours, src)
	if err != nil {
		return false, FileOutput{}, fmt.Errorf("file %q of the file set: %w", p.File, err)
	}
	there, err := stat(ctx, s, string(p.Path))
	if errors.Is(err, fs.ErrNotExist) || err == nil && (there.Dir || there.Size != size) {
		return false, FileOutput{}, nil
	}
	if err != nil {
		return false, FileOutput{}, err
	}
	theirs := sha256.New()
	if _, err := s.GetFile(ctx, string(p.Path), edr.Range{}, theirs); err != nil {
		return false, FileOutput{}, err
	}
	sum := hex.EncodeToString(theirs.Sum(nil))
	same := sum == hex.EncodeToString(ours.Sum(nil))
	return same, FileOutput{Path: string(p.Path), Size: size, SHA256: sum}, nil
}

// stat looks one remote file or directory up. A listing of a path without a
// trailing separator is the one entry of that path.
func stat(ctx context.Context, s fileSession, path string) (edr.DirEntry, error) {
	entries, err := s.List(ctx, path)
	if err != nil {
		return edr.DirEntry{}, err
	}
	if len(entries) == 0 {
		return edr.DirEntry{}, fmt.Errorf("%s: %w", edr.Quote(path), fs.ErrNotExist)
	}
	return entries[0], nil
}
