package propose

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"edrpipe/pkg/events"
)

// Bounds of what is taken from one text.
const (
	maxPieces   = 3  // of a command line or a script
	maxPiece    = 40 // characters of one
	minPiece    = 3
	maxDirs     = 4 // directories, from the last
	maxScanning = 64 << 10
)

// passing is what is another one the next time.
var passing = []*regexp.Regexp{
	regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-`), // a GUID
	regexp.MustCompile(`^s-1-[0-9]+-`),             // the SID of a user
	regexp.MustCompile(`[0-9]{3}`),                 // a pid, a date, a serial number
	regexp.MustCompile(`\b[0-9]+(\.[0-9]+){3}\b`),  // an address
	regexp.MustCompile(`^(0x[0-9a-f]+|[0-9]+)$`),
	regexp.MustCompile(`^[0-9a-f]{6,}(\.[a-z0-9]+)?$`), // made of a hash or at random
	regexp.MustCompile(`~[0-9]`),                       // a short name
}

// steady says of words whether the next event of this sort has them too.
type steady struct{ people []string }

func steadyOf(e *events.Event) steady {
	var s steady
	users := []string{e.Process.User, e.Process.Parent.User, e.Child.User, e.Sensor.User}
	for _, name := range append(users, e.Sensor.Hostnames...) {
		s.know(name)
	}
	s.know(e.Sensor.Hostname)
	s.know(e.Sensor.Domain)
	return s
}

// know takes the name of a person or a host, with its domain or without.
func (s *steady) know(name string) {
	for _, part := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '\\' || r == '@' || r == '.' }) {
		if len(part) >= minPiece && part != "system" && part != "root" {
			s.people = append(s.people, part)
		}
	}
}

func (s steady) word(w string) bool {
	low := strings.ToLower(w)
	if len(w) < 2 || len(w) > maxPiece || strings.ContainsFunc(w, odd) {
		return false
	}
	if blob(w) || slices.ContainsFunc(passing, func(r *regexp.Regexp) bool { return r.MatchString(low) }) {
		return false
	}
	return !slices.ContainsFunc(s.people, func(name string) bool { return strings.Contains(low, name) })
}

// blob reports whether a word is long and without a meaning, as base64 is.
func blob(w string) bool {
	const least = 16
	return len(w) >= least && strings.ContainsAny(w, "0123456789") && strings.ToLower(w) != w && strings.ToUpper(w) != w
}

// odd are characters that a rule's author could not see.
func odd(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }

// pieces are the words of a command line, behind the program, that tell what it does:
// its options, the names of files, the scheme of an address.
func (s steady) pieces(line string) []string {
	words := strings.FieldsFunc(clipped(line), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`,;|&()", r) })
	if len(words) < 2 {
		return nil
	}
	var found []string
	for _, w := range words[behindProgram(line, words):] {
		if scheme, _, is := strings.Cut(w, "://"); is {
			w = scheme + "://"
		} else if !option(w) {
			w = lastPart(w)
		}
		if len(w) < minPiece && !option(w) || !s.word(w) || slices.Contains(found, w) {
			continue
		}
		if found = append(found, w); len(found) == maxPieces {
			break
		}
	}
	return found
}

// behindProgram is how many words the program takes: in quotes it may have blanks.
func behindProgram(line string, words []string) int {
	if rest, quoted := strings.CutPrefix(strings.TrimSpace(line), `"`); quoted {
		program, _, _ := strings.Cut(rest, `"`)
		return min(max(1, len(strings.Fields(program))), len(words))
	}
	return 1
}

// option is -enc, --name or /c, and not /etc/passwd.
func option(w string) bool {
	return len(w) > 1 && (w[0] == '-' || w[0] == '/') && !strings.ContainsAny(w[1:], `/\`)
}

// calls are the names in a script that look like those of functions: DownloadString,
// Invoke-Expression.
var calls = regexp.MustCompile(`\b[A-Z][a-z]+(?:-?[A-Z][a-z0-9]+)+\b`)

func (s steady) calls(script string) []string {
	var found []string
	for _, w := range calls.FindAllString(clipped(script), -1) {
		if s.word(w) && !slices.Contains(found, w) {
			if found = append(found, w); len(found) == maxPieces {
				break
			}
		}
	}
	return found
}

// directory is the part of a path or a registry key, without its last name, that is
// the same on other endpoints, with separators at both ends; empty when there is none.
func (s steady) directory(path string) string {
	sep := separator(path)
	parts := strings.Split(path, sep)
	parts = parts[:len(parts)-1]
	first := len(parts)
	for first > 0 && len(parts)-first < maxDirs && s.word(parts[first-1]) && !aboveUsers(parts, first-1) {
		first--
	}
	if first == len(parts) || first == 0 && sep == `\` {
		first++ // the drive or the root key: events of other sorts have others
	}
	if first >= len(parts) {
		return ""
	}
	return sep + strings.Join(parts[first:], sep) + sep
}

// aboveUsers reports whether the part is the name of a person's home directory.
func aboveUsers(parts []string, i int) bool {
	return i > 0 && slices.Contains([]string{"users", "home", "documents and settings"}, strings.ToLower(parts[i-1]))
}

func separator(path string) string {
	if strings.Contains(path, `\`) {
		return `\`
	}
	return "/"
}

func lastPart(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// clipped is as much of a text as is looked at.
func clipped(text string) string {
	if len(text) > maxScanning {
		return strings.ToValidUTF8(text[:maxScanning], "")
	}
	return text
}
