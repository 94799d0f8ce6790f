package events

import "strings"

// baseName is the last part of a Windows or POSIX path. A backslash separates
// only in a path that does not begin with a slash: POSIX names may hold one.
func baseName(path string) string {
	separators := `\/`
	if strings.HasPrefix(path, "/") {
		separators = "/"
	}
	trimmed := strings.TrimRight(path, separators)
	return trimmed[strings.LastIndexAny(trimmed, separators)+1:]
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
func registryPath(raw string) string {
	for _, h := range hives {
		if len(raw) < len(h.kernel) || !strings.EqualFold(raw[:len(h.kernel)], h.kernel) {
			continue
		}
		if rest := raw[len(h.kernel):]; rest == "" || rest[0] == '\\' {
			return h.live + rest
		}
	}
	return raw
}
