package edrsim

import (
	"path"
	"slices"
	"strings"
	"time"
)

// An endpoint is the computer a sensor runs on: what commands see and change. It
// is made from its platform's image when a command first needs it.
type endpoint struct {
	host     string
	ip       string
	windows  bool
	macos    bool
	seed     uint64
	booted   time.Time
	cwd      string
	root     *node
	registry *key
	procs    []*process // sorted by PID
	later    []effect
}

// An effect is a change that a running process makes at its end.
type effect struct {
	at time.Time
	do func()
}

// catchUp lets everything happen that is due by now.
func (e *endpoint) catchUp(now time.Time) {
	due := func(f effect) bool { return !f.at.After(now) }
	for _, f := range e.later {
		if due(f) {
			f.do()
		}
	}
	e.later = slices.DeleteFunc(e.later, due)
	e.procs = slices.DeleteFunc(e.procs, func(p *process) bool {
		return !p.ends.IsZero() && !p.ends.After(now)
	})
}

// split turns a path as clients write it into folded elements, and the same
// elements as written. It fails on names that the platform does not allow.
func (e *endpoint) split(p string) (folded, written []string, f failure) {
	if e.windows {
		return splitWindows(p, e.cwd)
	}
	if !strings.HasPrefix(p, "/") {
		p = e.cwd + "/" + p
	}
	if strings.ContainsRune(p, 0) {
		return nil, nil, errInvalidName
	}
	written = elements(path.Clean(p), "/")
	return written, written, success
}

// splitWindows splits a Windows path; relative ones start at cwd.
func splitWindows(p, cwd string) (folded, written []string, f failure) {
	p = strings.ReplaceAll(p, "/", `\`)
	p = strings.TrimPrefix(p, `\\?\`)
	if low := strings.ToLower(p); strings.HasPrefix(low, `%systemroot%`) || strings.HasPrefix(low, `\systemroot`) {
		p = `C:\Windows` + p[strings.IndexByte(p[1:], '\\')+1:]
	}
	switch {
	case strings.HasPrefix(p, `\`):
		p = cwd[:2] + p
	case len(p) < 2 || p[1] != ':':
		p = cwd + `\` + p
	}
	for _, name := range elements(p, `\`) {
		switch name {
		case ".":
		case "..":
			if len(written) > 1 {
				written = written[:len(written)-1]
			}
		default:
			written = append(written, strings.TrimRight(name, " ."))
		}
	}
	for i, name := range written {
		if name == "" || strings.ContainsAny(name, "<>\"|?*\x00") || i > 0 && strings.Contains(name, ":") {
			return nil, nil, errInvalidName
		}
		folded = append(folded, strings.ToLower(name))
	}
	return folded, written, success
}

// elements splits at a separator and drops empty parts.
func elements(p, sep string) []string {
	return slices.DeleteFunc(strings.Split(p, sep), func(s string) bool { return s == "" })
}

// file finds what is at a path.
func (e *endpoint) file(p string) (*node, failure) {
	folded, _, f := e.split(p)
	if f != success {
		return nil, f
	}
	n := e.root.lookup(folded)
	switch {
	case n != nil && n.locked && n.dir:
		return nil, errNotReady // a drive without a medium
	case n != nil:
		return n, success
	case len(folded) == 0 || e.root.lookup(folded[:len(folded)-1]) == nil:
		return nil, errPathNotFound
	default:
		return nil, errNotFound
	}
}

// write puts a file at a path; over permits to replace an existing one.
func (e *endpoint) write(p string, data blob, over bool, now time.Time) failure {
	folded, written, f := e.split(p)
	if f != success {
		return f
	}
	if len(folded) == 0 || e.windows && len(folded) == 1 {
		return errNotDisk
	}
	dir := e.root.lookup(folded[:len(folded)-1])
	old := e.root.lookup(folded)
	switch {
	case dir == nil || !dir.dir:
		return errPathNotFound
	case dir.locked:
		return errNotReady
	case old != nil && old.dir:
		return errAccessDenied
	case old != nil && old.locked:
		return errSharing
	case old != nil && !over:
		return errFileExists
	}
	n := &node{name: written[len(written)-1], data: data, created: now, written: now, attrs: e.plainAttrs()}
	if old != nil {
		n.created = old.created
	}
	e.root = e.root.with(folded, n)
	return success
}

func (e *endpoint) plainAttrs() []string {
	if e.windows {
		return attrsArchive
	}
	return attrsNormal
}

var (
	attrsArchive = []string{"ARCHIVE"}
	attrsNormal  = []string{"NORMAL"}
	attrsDir     = []string{"DIRECTORY"}
	attrsSystem  = []string{"HIDDEN", "SYSTEM", "DIRECTORY"}
)

// remove deletes a file. Directories cannot be deleted by a command.
func (e *endpoint) remove(p string) failure {
	folded, _, f := e.split(p)
	if f != success {
		return f
	}
	n, f := e.file(p)
	switch {
	case f != success:
		return f
	case n.dir:
		return errAccessDenied
	case n.locked:
		return errSharing
	}
	e.root = e.root.without(folded)
	return success
}

// removeDir deletes an empty directory, reports whether there was one.
func (e *endpoint) removeDir(p string) bool {
	folded, _, f := e.split(p)
	if f != success || len(folded) < 2 && e.windows || len(folded) == 0 {
		return false
	}
	if n, f := e.file(p); f != success || !n.dir || n.locked || len(n.children) > 0 {
		return false
	}
	e.root = e.root.without(folded)
	return true
}

// mkdir creates one directory.
func (e *endpoint) mkdir(p string, now time.Time) failure {
	folded, written, f := e.split(p)
	if f != success {
		return f
	}
	if len(folded) == 0 || e.root.lookup(folded) != nil {
		return errExists
	}
	dir := e.root.lookup(folded[:len(folded)-1])
	if len(folded) < 2 && e.windows || dir == nil || !dir.dir {
		return errPathNotFound
	}
	e.root = e.root.with(folded, &node{name: written[len(written)-1], dir: true, attrs: attrsDir, created: now, written: now})
	return success
}

// A listing is an entry of a directory as a command reports it.
type listing struct {
	name string
	*node
}

// list gives the entries that a path or a wildcard stands for. A trailing
// separator means the directory's content, with the two dot entries.
func (e *endpoint) list(pattern string) ([]listing, failure) {
	sep := "/"
	if e.windows {
		sep, pattern = `\`, strings.ReplaceAll(pattern, "/", `\`)
	}
	i := strings.LastIndex(pattern, sep)
	dirPath, last := pattern[:i+1], pattern[i+1:]
	if last != "" && !strings.ContainsAny(last, "*?") {
		n, f := e.file(pattern)
		if f != success {
			return nil, f
		}
		return []listing{{n.name, n}}, success
	}
	if dirPath == "" {
		dirPath = "."
	}
	dir, f := e.file(dirPath)
	switch {
	case f == errNotFound:
		return nil, errPathNotFound
	case f != success:
		return nil, f
	case !dir.dir:
		return nil, errDirectory
	}
	return matching(dir, last, e.windows), success
}

// matching lists what in dir fits a wildcard, "" and * being everything.
func matching(dir *node, wildcard string, fold bool) []listing {
	all := wildcard == "" || wildcard == "*" || wildcard == "*.*" && fold
	var found []listing
	if all {
		found = append(found, listing{".", dir}, listing{"..", dir})
	}
	if fold {
		wildcard = strings.ToLower(wildcard)
	}
	for _, n := range dir.sorted() {
		name := n.name
		if fold {
			name = strings.ToLower(name)
		}
		if all || wildcardMatch(wildcard, name) {
			found = append(found, listing{n.name, n})
		}
	}
	return found
}

// wildcardMatch supports * and ? only; brackets are ordinary in Windows names.
func wildcardMatch(pattern, name string) bool {
	escaped := strings.NewReplacer(`\`, `\\`, "[", `\[`).Replace(pattern)
	ok, err := path.Match(escaped, strings.ReplaceAll(name, "/", ""))
	return ok && err == nil
}
