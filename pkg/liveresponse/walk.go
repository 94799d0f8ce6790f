package liveresponse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"edrpipe/pkg/edr"
)

// WalkFunc sees each entry below a root with its full path. Its results are
// those of fs.WalkDirFunc: fs.SkipDir leaves a directory out, fs.SkipAll ends the
// walk, any other error ends it and is returned. With err set, path is a
// directory that could not be listed; returning nil goes on without it.
type WalkFunc func(path string, e edr.DirEntry, err error) error

// maxDepth ends a descent that no real tree goes.
const maxDepth = 128

// A ListFunc lists what a path or pattern matches, as edr.Files.List does.
type ListFunc func(ctx context.Context, pattern string) ([]edr.DirEntry, error)

// Walk visits all entries below the directory root, parents first. Directories that
// are links (reparse points) are visited but not entered. Only Windows sensors mark
// links: elsewhere a directory whose listing equals that of an ancestor is taken for
// a loop and not entered.
func Walk(ctx context.Context, list ListFunc, os edr.OS, root string, fn WalkFunc) error {
	err := walker{list: list, fn: fn, sep: Separator(os)}.dir(ctx, root, nil)
	if errors.Is(err, fs.SkipAll) || errors.Is(err, fs.SkipDir) {
		return nil
	}
	return err
}

// Stat returns the entry of one file or directory.
func Stat(ctx context.Context, list ListFunc, os edr.OS, sensor, path string) (edr.DirEntry, error) {
	path = strings.TrimRight(path, Separator(os))
	all, err := list(ctx, path)
	switch {
	case err != nil:
		return edr.DirEntry{}, err
	case len(all) != 1:
		return edr.DirEntry{}, fmt.Errorf("sensor %s: %s: %w (%d entries match)", sensor, edr.Quote(path), fs.ErrNotExist, len(all))
	}
	return all[0], nil
}

// Separator is what paths of the platform are joined with.
func Separator(os edr.OS) string {
	if os == edr.Windows {
		return `\`
	}
	return "/"
}

type walker struct {
	list ListFunc
	fn   WalkFunc
	sep  string
}

// dir visits the content of path. above are the listings on the way here.
func (w walker) dir(ctx context.Context, path string, above [][sha256.Size]byte) error {
	path = strings.TrimRight(path, w.sep) + w.sep
	entries, err := w.list(ctx, path)
	if err != nil {
		var refused *edr.ResultError
		if !errors.As(err, &refused) {
			return err // not the directory's fault
		}
		return w.fn(path, edr.DirEntry{Dir: true}, err)
	}
	sum := digest(entries)
	for _, s := range above {
		if s == sum && len(entries) > 0 {
			return nil
		}
	}
	if len(above) >= maxDepth {
		return w.fn(path, edr.DirEntry{Dir: true}, fmt.Errorf("%s: deeper than %d directories", path, maxDepth))
	}
	above = append(above[:len(above):len(above)], sum)
	for _, e := range entries {
		err := w.entry(ctx, path+e.Name, e, above)
		if errors.Is(err, fs.SkipDir) {
			return nil // from a file: leaves the rest of its directory out
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w walker) entry(ctx context.Context, path string, e edr.DirEntry, above [][sha256.Size]byte) error {
	err := w.fn(path, e, nil)
	if !e.Dir {
		return err
	}
	if errors.Is(err, fs.SkipDir) {
		return nil
	}
	if err != nil || isLink(e) {
		return err
	}
	return w.dir(ctx, path, above)
}

func isLink(e edr.DirEntry) bool {
	for _, a := range e.Attributes {
		if a == "REPARSE_POINT" {
			return true
		}
	}
	return false
}

// digest identifies a listing by everything that stays the same when it is read
// again under another path.
func digest(entries []edr.DirEntry) [sha256.Size]byte {
	h := sha256.New()
	for _, e := range entries {
		fmt.Fprintf(h, "%q %t %d %d %d\n", e.Name, e.Dir, e.Size, e.Created.Unix(), e.Modified.Unix())
	}
	return [sha256.Size]byte(h.Sum(nil))
}
