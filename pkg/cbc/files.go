package cbc

import (
	"context"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

type dirJSON struct {
	Filename   text       `json:"filename"`
	Name       text       `json:"name"`
	AltName    text       `json:"alternate_name"`
	OldAltName text       `json:"alt_name"`
	Attributes list[text] `json:"attributes"`
	Size       number     `json:"size"`
	Created    moment     `json:"create_time"`
	Modified   moment     `json:"last_write_time"`
	Accessed   moment     `json:"last_access_time"`
}

func (d dirJSON) entry() edr.DirEntry {
	attributes := liveresponse.Texts(d.Attributes)
	return edr.DirEntry{
		Name: first(d.Filename, d.Name), AltName: first(d.AltName, d.OldAltName), Size: int64(d.Size), Attributes: attributes,
		Dir:     slices.Contains(attributes, "DIRECTORY"),
		Created: d.Created.Time, Modified: d.Modified.Time, Accessed: d.Accessed.Time,
	}
}

// List lists what a path or pattern matches: the content of a directory for a path
// that ends in a separator or in a wildcard, or else the one entry that the path
// names. "." and ".." are left out.
func (s *Session) List(ctx context.Context, pattern string) ([]edr.DirEntry, error) {
	if s.os != edr.Windows && strings.HasSuffix(pattern, "/") {
		pattern += "*"
	}
	done, err := s.run(ctx, command{name: cmdList, path: pattern})
	if err != nil {
		return nil, err
	}
	all := make([]edr.DirEntry, 0, len(done.Files))
	for _, f := range done.Files {
		if e := f.entry(); e.Name != "." && e.Name != ".." {
			all = append(all, e)
		}
	}
	return all, nil
}

// Walk visits everything below the directory root: see liveresponse.Walk.
func (s *Session) Walk(ctx context.Context, root string, fn liveresponse.WalkFunc) error {
	return liveresponse.Walk(ctx, s.List, s.os, root, fn)
}

// Stat returns the entry of one file or directory.
func (s *Session) Stat(ctx context.Context, path string) (edr.DirEntry, error) {
	return liveresponse.Stat(ctx, s.List, s.os, s.Info().SensorID, path)
}

// MakeDir creates a directory.
func (s *Session) MakeDir(ctx context.Context, path string) error {
	_, err := s.run(ctx, command{name: cmdMakeDir, path: path, changes: true})
	return err
}

// DeleteFile deletes a file, or an empty directory.
func (s *Session) DeleteFile(ctx context.Context, path string) error {
	_, err := s.run(ctx, command{name: cmdDeleteFile, path: path, changes: true})
	return err
}
