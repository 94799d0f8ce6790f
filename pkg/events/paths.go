package events

import "strings"

// baseName is the last part of a Windows or POSIX path. A backslash separates
// only in a path that does not begin with a slash: POSIX names may hold one.
func baseName(path string) string {
	posix := path != "" && path[0] == '/'
	end := len(path)
	for end > 0 && (path[end-1] == '/' || path[end-1] == '\\' && !posix) {
		end--
	}
	start := end
	for start > 0 && path[start-1] != '/' && (path[start-1] != '\\' || posix) {
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

// hives maps the ways in which sources write the roots of the registry to the one
// that rules read. Live Response takes it.
var hives = []struct{ written, normal string }{
	{`\registry\machine`, `HKLM`},
	{`\registry\user`, `HKEY_USERS`},
	{`HKLM`, `HKLM`},
	{`HKEY_LOCAL_MACHINE`, `HKLM`},
	{`HKU`, `HKEY_USERS`},
	{`HKEY_USERS`, `HKEY_USERS`},
	{`HKCU`, `HKEY_CURRENT_USER`},
	{`HKEY_CURRENT_USER`, `HKEY_CURRENT_USER`},
	{`HKCR`, `HKEY_CLASSES_ROOT`},
	{`HKEY_CLASSES_ROOT`, `HKEY_CLASSES_ROOT`},
	{`HKCC`, `HKEY_CURRENT_CONFIG`},
	{`HKEY_CURRENT_CONFIG`, `HKEY_CURRENT_CONFIG`},
}

// registryPath is a registry path in its normal form: the root in capitals, the rest
// in lower case. A path that begins with no root stays as it is.
func (p *textPool) registryPath(raw string) string {
	for _, h := range hives {
		if len(raw) < len(h.written) || !strings.EqualFold(raw[:len(h.written)], h.written) {
			continue
		}
		if rest := raw[len(h.written):]; rest == "" || rest[0] == '\\' {
			b := append(p.room(len(h.normal)+len(rest)), h.normal...)
			for i := range len(rest) {
				b = append(b, lowerASCII(rest[i]))
			}
			return p.take(b)
		}
	}
	return raw
}
