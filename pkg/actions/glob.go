package actions

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
)

// globDepth bounds what ** goes down.
const globDepth = 8

// glob visits the remote files and directories that match a pattern until visit returns
// false; it reports whether it was stopped. * and ? match characters within one name,
// ** any number of directories, at most eight. Names are compared by the platform's
// rules: without case on Windows.
func glob(ctx context.Context, s fileSession, pattern string, visit func(Entry) bool) (stopped bool, err error) {
	sep := separator(s.OS())
	parts := strings.Split(pattern, sep)
	fixed := slices.IndexFunc(parts, hasMeta)
	if fixed < 0 {
		e, err := stat(ctx, s, pattern)
		if err != nil {
			return false, err
		}
		return !visit(Entry{Path: pattern, DirEntry: e}), nil
	}
	if fixed == 0 {
		return false, fmt.Errorf("pattern %s does not begin with a directory", edr.Quote(pattern))
	}
	root := strings.Join(parts[:fixed], sep)
	g := globber{s: s, visit: visit, fold: s.OS() == edr.Windows}
	err = g.descend(ctx, root, parts[fixed:], globDepth)
	return g.stopped, err
}

func hasMeta(part string) bool { return strings.ContainsAny(part, "*?") }

type globber struct {
	s       fileSession
	visit   func(Entry) bool
	fold    bool
	stopped bool
}

// descend visits what fits parts below dir.
func (g *globber) descend(ctx context.Context, dir string, parts []string, depth int) error {
	entries, err := listDir(ctx, g.s, dir, "*")
	if err != nil {
		return err
	}
	here, rest := parts[0], parts[1:]
	for _, e := range entries {
		if here == "**" {
			err = g.any(ctx, e, parts, depth)
		} else if g.fits(here, e.Name) {
			err = g.next(ctx, e, rest, depth)
		}
		if g.stopped || err != nil {
			return err
		}
	}
	return nil
}

// any lets ** stand for the entry's directory, and for nothing.
func (g *globber) any(ctx context.Context, e Entry, parts []string, depth int) error {
	rest := parts[1:]
	switch {
	case len(rest) == 0:
		g.stopped = !g.visit(e)
	case g.fits(rest[0], e.Name):
		if err := g.next(ctx, e, rest[1:], depth); err != nil {
			return err
		}
	}
	if g.stopped || !e.Dir || depth == 0 || slices.Contains(e.Attributes, "REPARSE_POINT") {
		return nil
	}
	return g.passing(g.descend(ctx, e.Path, parts, depth-1))
}

// next goes on below an entry that fits, or visits it when it was the last part.
func (g *globber) next(ctx context.Context, e Entry, rest []string, depth int) error {
	if len(rest) == 0 {
		g.stopped = !g.visit(e)
		return nil
	}
	if !e.Dir {
		return nil
	}
	return g.passing(g.descend(ctx, e.Path, rest, depth))
}

// passing passes over a directory that the endpoint does not let us read.
func (g *globber) passing(err error) error {
	if unreadable(err) {
		return nil
	}
	return err
}

func (g *globber) fits(part, name string) bool {
	if g.fold {
		part, name = strings.ToLower(part), strings.ToLower(name)
	}
	if part == "**" {
		return true
	}
	ok, err := path.Match(strings.ReplaceAll(part, "[", `\[`), name) // brackets are common in names
	return ok && err == nil
}
