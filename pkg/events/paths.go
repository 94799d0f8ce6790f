package events

import "strings"

// baseName is the last part of a Windows or POSIX path. A backslash separates
// only in a path that does not begin with a slash: POSIX names may hold one.
func baseName(path string) string {
	posix := strings.HasPrefix(path, "/")
	separates := func(c byte) bool { return c == '/' || c == '\\' && !posix }
	end := len(path)
	for end > 0 && separates(path[end-1]) {
		end--
	}
	start := end
	for start > 0 && !separates(path[start-1]) {
		start--
	}
	return path[start:end]
}

// extension is what follows the last dot of a file name, lower case, without
// the dot. A name that only begins with a dot (.profile) has none.
func extension(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return ""
	}
	return strings.ToLower(name[dot+1:])
}

// hives maps how a sensor writes the roots of the registry to how Live
// Response wants them.
var hives = []struct{ kernel, live string }{
	{`\registry\machine`, `HKLM`},
	{`\registry\user`, `HKEY_USERS`},
}

// registryPath rewrites a registry path from the kernel's form to the one that
// Live Response takes. A path in another form stays as it is.
func (p *textPool) registryPath(raw string) string {
	for _, h := range hives {
		if len(raw) < len(h.kernel) || !strings.EqualFold(raw[:len(h.kernel)], h.kernel) {
			continue
		}
		if rest := raw[len(h.kernel):]; rest == "" || rest[0] == '\\' {
			return p.take(append(append(p.room(len(h.live)+len(rest)), h.live...), rest...))
		}
	}
	return raw
}
