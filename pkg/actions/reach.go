package actions

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/strictyaml"
)

// Reach is embedded in the parameters of actions that take paths. Without
// remote, a path that leads to another computer or to a device is refused: guards
// judged the endpoint of the job, and an event chooses its own text.
type Reach struct {
	Remote bool `json:"remote" literal:"true" doc:"allow paths that lead to other computers, to devices, or past the usual reading of a path"`
}

func (r Reach) remote() bool { return r.Remote }

// located is a parameter that names a place on an endpoint.
type located interface{ place() string }

func (p RemotePath) place() string    { return string(p) }
func (p RemotePattern) place() string { return string(p) }
func (p Program) place() string       { return string(p) }

// isLocated reports whether values of a type, or the items of a list, name places.
func isLocated(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Implements(reflect.TypeFor[located]())
}

// confine refuses the paths in v that leave the endpoint, unless v allows it.
func (d *decoder) confine(at strictyaml.Path, v reflect.Value, fields []Field) {
	if !slices.ContainsFunc(fields, func(f Field) bool { return f.located }) {
		return
	}
	if r, ok := v.Interface().(interface{ remote() bool }); ok && r.remote() {
		return
	}
	for _, f := range fields {
		if !f.located {
			continue
		}
		field := v.FieldByIndex(f.index)
		if field.Kind() == reflect.Slice {
			for i := range field.Len() {
				d.confineOne(at.Key(f.Name).Index(i), field.Index(i))
			}
			continue
		}
		d.confineOne(at.Key(f.Name), field)
	}
}

func (d *decoder) confineOne(at strictyaml.Path, v reflect.Value) {
	l, ok := v.Interface().(located)
	if !ok {
		return
	}
	if why := beyond(l.place()); why != "" {
		d.add(at, fmt.Sprintf("%s %s", edr.Quote(shorten(l.place())), why), "where a rule means it, the step says remote: true")
	}
}

// beyond reports why a path leads away from the endpoint's own files; "" where it
// does not. The platform is not known, so a path is judged by both platforms' rules.
func beyond(p string) string {
	flat := strings.ToLower(slashes.Replace(p))
	switch {
	case strings.HasPrefix(flat, "//./"), strings.HasPrefix(flat, "//?/"), strings.HasPrefix(flat, "/??/"):
		return "is a path of the device namespace"
	case strings.HasPrefix(flat, "//"):
		return "is on another computer"
	}
	if strings.HasPrefix(p, "/") {
		return beyondPOSIX(strings.ToLower(path.Clean(flat)))
	}
	if strings.HasPrefix(flat, "/") {
		return beyondRoot(flat)
	}
	for part := range strings.SplitSeq(flat, "/") {
		if isDeviceName(part) {
			return "names a DOS device"
		}
	}
	return ""
}

// slashes reads as a separator whatever Windows may take for one.
var slashes = strings.NewReplacer(`\`, "/", "\u00a5", "/", "\u20a9", "/", "\u2216", "/", "\u29f5", "/", "\ufe68", "/", "\uff3c", "/", "\u2215", "/", "\u2044", "/", "\uff0f", "/")

// beyondRoot judges a Windows path that begins with one backslash: the forms in
// which the kernel names things, and paths on whatever drive is the current one.
func beyondRoot(flat string) string {
	first, _, _ := strings.Cut(flat[1:], "/")
	switch first {
	case "device", "global??", "dosdevices", "systemroot", "arcname", "filesystem":
		return "is a name of the Windows kernel, not a path"
	}
	return "has no drive"
}

// beyondPOSIX judges a cleaned path of Linux and macOS. Files in /dev/shm are
// ordinary files.
func beyondPOSIX(p string) string {
	below := func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
	switch {
	case below("/dev/shm"):
		return ""
	case below("/dev"):
		return "is a device"
	case below("/proc"), below("/sys"):
		return "is an interface of the kernel, not a file"
	case below("/net"), below("/network"):
		return "is on another computer"
	}
	return ""
}

var deviceNames = []string{"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}

// isDeviceName reports whether Windows takes a name for a device, whatever
// directory it stands in: also with an ending, blanks or a stream after it.
func isDeviceName(part string) bool {
	stem, _, _ := strings.Cut(part, ".")
	stem, _, _ = strings.Cut(stem, ":")
	stem = strings.TrimRight(stem, " ")
	if slices.Contains(deviceNames, stem) {
		return true
	}
	port, digit, _ := strings.Cut(stem, "com")
	if port != "" || digit == "" {
		port, digit, _ = strings.Cut(stem, "lpt")
	}
	return port == "" && slices.Contains([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"}, digit)
}
