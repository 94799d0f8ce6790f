package lr

import (
	"context"
	"slices"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

type dirJSON struct {
	Filename   text       `json:"filename"`
	Name       text       `json:"name"` // in the docs only
	AltName    text       `json:"alt_name"`
	Attributes list[text] `json:"attributes"`
	Size       number     `json:"size"`
	Created    moment     `json:"create_time"`
	Modified   moment     `json:"last_write_time"`
	Accessed   moment     `json:"last_access_time"`
}

func (d dirJSON) entry() edr.DirEntry {
	name := d.Filename
	if name == "" {
		name = d.Name
	}
	attributes := liveresponse.Texts(d.Attributes)
	return edr.DirEntry{
		Name: string(name), AltName: string(d.AltName), Size: int64(d.Size), Attributes: attributes,
		Dir:     slices.Contains(attributes, "DIRECTORY"),
		Created: d.Created.Time, Modified: d.Modified.Time, Accessed: d.Accessed.Time,
	}
}

// List lists what a path or pattern matches: the content of a directory for a
// path that ends in a separator or in a wildcard, or else the one entry that the
// path names. "." and ".." are left out.
func (s *Session) List(ctx context.Context, pattern string) ([]edr.DirEntry, error) {
	done, err := s.run(ctx, command{name: cmdList, object: s.listObject(pattern)})
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

// listObject adds the wildcard that sensors other than Windows need after a
// final separator.
func (s *Session) listObject(pattern string) string {
	if s.os != edr.Windows && len(pattern) > 0 && pattern[len(pattern)-1] == '/' {
		return pattern + "*"
	}
	return pattern
}

// MakeDir creates a directory.
func (s *Session) MakeDir(ctx context.Context, path string) error {
	_, err := s.run(ctx, command{name: cmdMakeDir, object: path, changes: true})
	return err
}

// DeleteFile deletes a file.
func (s *Session) DeleteFile(ctx context.Context, path string) error {
	_, err := s.run(ctx, command{name: cmdDeleteFile, object: path, changes: true})
	return err
}
