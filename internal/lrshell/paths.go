package lrshell

import (
	"strings"

	"edrpipe/pkg/edr"
)

// windows reports whether remote paths have the form of Windows.
func (s *Shell) windows() bool { return s.Sensor.OS == edr.Windows }

func (s *Shell) separator() string {
	if s.windows() {
		return `\`
	}
	return "/"
}

// abs makes a remote path absolute and clean. It keeps a final separator, which stands
// for a directory's content.
func (s *Shell) abs(path string) string {
	if s.windows() {
		return s.absWindows(strings.ReplaceAll(path, "/", `\`))
	}
	if !strings.HasPrefix(path, "/") {
		path = s.cwd + "/" + path
	}
	return "/" + clean(path, "/")
}

func (s *Shell) absWindows(path string) string {
	switch {
	case strings.HasPrefix(path, `\\`): // a device or a share: as it is
		return path
	case len(path) >= 2 && path[1] == ':':
	case strings.HasPrefix(path, `\`):
		path = drive(s.cwd) + path
	default:
		path = s.cwd + `\` + path
	}
	rest := clean(path[2:], `\`)
	return path[:2] + `\` + rest
}

func drive(cwd string) string {
	if len(cwd) >= 2 && cwd[1] == ':' {
		return cwd[:2]
	}
	return "C:"
}

// clean resolves "." and ".." and drops empty parts; the result has no leading
// separator.
func clean(path, sep string) string {
	var parts []string
	for p := range strings.SplitSeq(path, sep) {
		switch p {
		case "", ".":
		case "..":
			if len(parts) > 0 {
				parts = parts[:len(parts)-1]
			}
		default:
			parts = append(parts, p)
		}
	}
	cleaned := strings.Join(parts, sep)
	if last := path[strings.LastIndex(path, sep)+1:]; len(parts) > 0 && (last == "" || last == "." || last == "..") {
		cleaned += sep
	}
	return cleaned
}

// asDir is path with a final separator.
func (s *Shell) asDir(path string) string {
	return strings.TrimRight(path, s.separator()) + s.separator()
}

// base is the last part of a remote path.
func (s *Shell) base(path string) string {
	path = strings.TrimRight(path, s.separator())
	return path[strings.LastIndex(path, s.separator())+1:]
}
