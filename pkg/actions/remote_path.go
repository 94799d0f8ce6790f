package actions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"edrpipe/pkg/edr"
)

// RemotePath is the path of one file, directory or process on an endpoint. It
// holds no pattern: an action on one file never becomes one on many.
type RemotePath string

// UnmarshalText takes a path as events and rules have it.
func (p *RemotePath) UnmarshalText(b []byte) error {
	s := string(b)
	if strings.ContainsAny(s, "*?") && !verbatim(s) && !strings.HasPrefix(s, "/") {
		return fmt.Errorf("%s is a pattern, not the path of one file: collect takes patterns", edr.Quote(shorten(s)))
	}
	if err := wellFormed(s); err != nil {
		return err
	}
	*p = RemotePath(s)
	return nil
}

// MarshalText writes the path.
func (p RemotePath) MarshalText() ([]byte, error) { return []byte(p), nil }

// RemotePattern is a path on an endpoint whose names may hold * and ?.
type RemotePattern string

// UnmarshalText takes a pattern.
func (p *RemotePattern) UnmarshalText(b []byte) error {
	if err := wellFormed(string(b)); err != nil {
		return err
	}
	*p = RemotePattern(b)
	return nil
}

// MarshalText writes the pattern.
func (p RemotePattern) MarshalText() ([]byte, error) { return []byte(p), nil }

// NamePattern is a pattern for the names in one directory.
type NamePattern string

// UnmarshalText refuses what would lead to another directory.
func (p *NamePattern) UnmarshalText(b []byte) error {
	if s := string(b); strings.ContainsAny(s, `/\`) || s == ".." {
		return fmt.Errorf("%s leads to another directory: want names with * and ?", edr.Quote(shorten(s)))
	}
	*p = NamePattern(b)
	return nil
}

// MarshalText writes the pattern.
func (p NamePattern) MarshalText() ([]byte, error) { return []byte(p), nil }

// Program is a program on an endpoint: a path, or a name that the endpoint finds.
type Program string

// verbatim reports whether Windows takes the path as it stands, without the
// readings that wellFormed guards against.
func verbatim(s string) bool {
	flat := strings.ToLower(strings.ReplaceAll(s, `\`, "/"))
	return slices.ContainsFunc([]string{"//?/", "//./", "/??/", "/global??/"}, func(space string) bool { return strings.HasPrefix(flat, space) })
}

// wellFormed refuses paths that lead to another file than the one they name.
func wellFormed(s string) error {
	if s == "" {
		return errors.New("the path is empty")
	}
	windows := !strings.HasPrefix(s, "/")
	switch {
	case verbatim(s):
		return nil
	case strings.Contains(s, "://"):
		return fmt.Errorf("%s is an address, not a path", edr.Quote(shorten(s)))
	case windows && strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%s contains a line break or another control character", edr.Quote(shorten(s)))
	case windows && strings.ContainsAny(s, `<>|"`):
		return fmt.Errorf("%s contains a character that Windows reads as a pattern or not at all", edr.Quote(shorten(s)))
	}
	for _, name := range strings.FieldsFunc(s, func(r rune) bool { return r == '/' || windows && r == '\\' }) {
		if name == "." || name == ".." {
			return fmt.Errorf("%s goes through %s: name the file without it", edr.Quote(shorten(s)), edr.Quote(name))
		}
		if windows && strings.TrimRight(name, " .") != name {
			return fmt.Errorf(`%s: Windows drops the dots and blanks at the end of %s and acts on another file; for this one the path begins with \\?\ and the step says remote: true`, edr.Quote(shorten(s)), edr.Quote(shorten(name)))
		}
	}
	if windows {
		return oneStream(s)
	}
	return nil
}

// oneStream lets a path name a stream of a file, as in notes.txt:hidden, but not
// by its type: file::$DATA is another name of the file itself, which conditions on
// the path would not know.
func oneStream(s string) error {
	rest := s
	if len(s) > 1 && s[1] == ':' {
		rest = s[2:]
	}
	_, stream, found := strings.Cut(rest, ":")
	if found && (stream == "" || strings.Contains(stream, ":") || strings.ContainsAny(stream, `/\`)) {
		return fmt.Errorf("%s names a stream by its type, which is another name of the same file: leave off what follows the file's name, or give the stream's name alone", edr.Quote(shorten(s)))
	}
	return nil
}
