package events

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// Each field has a normal form, named by the form tag of Event, so that comparisons in
// rules do not depend on the spelling of the source. Every decoder ends with it.

// A normalForm is how texts of a field look.
type normalForm struct {
	name  string
	apply func(p *textPool, s string) string
}

var (
	formPath    = &normalForm{"path", (*textPool).path}
	formDomain  = &normalForm{"domain", (*textPool).domain}
	formAddress = &normalForm{"ip", (*textPool).address}
	formHash    = &normalForm{"hash", (*textPool).lower}
	formWord    = &normalForm{"word", (*textPool).lower}
	formOS      = &normalForm{"os", (*textPool).osName}
	formReg     = &normalForm{"reg", (*textPool).registryPath}
)

// formsByTag are the forms by the form tag of Event; md5 and sha256 differ only in
// their length.
var formsByTag = map[string]*normalForm{
	"path": formPath, "domain": formDomain, "ip": formAddress,
	"md5": formHash, "sha256": formHash, "word": formWord, "os": formOS, "reg": formReg,
}

// formed are the text fields with a form that sources do not keep to by themselves.
// Conversions see to hashes and words.
var formed = fieldsOfForms(formPath, formDomain, formAddress, formOS)

// strictlyFormed are those of events that were not decoded from a product's message.
var strictlyFormed = fieldsOfForms(formHash, formWord, formReg)

// A formedField is a text field of Event with its form.
type formedField struct {
	offset uintptr
	form   *normalForm
}

// fieldsOfForms are the text fields with these forms, in the order of Event.
func fieldsOfForms(forms ...*normalForm) []formedField {
	var all []formedField
	for _, f := range fields {
		form := formsByTag[f.form]
		if f.typ.Kind() == reflect.String && slices.Contains(forms, form) {
			all = append(all, formedField{f.offset, form})
		}
	}
	slices.SortFunc(all, func(a, b formedField) int { return cmp.Compare(a.offset, b.offset) })
	return all
}

func (p *textPool) normalise(e *Event, all []formedField) {
	for i := range all {
		if s := textAt(e, all[i].offset); *s != "" {
			*s = all[i].form.apply(p, *s)
		}
	}
}

// isWindowsPath reports whether a path is one of Windows: with a drive, or with
// backslashes only.
func isWindowsPath(s string) bool {
	return len(s) > 1 && s[1] == ':' || strings.IndexByte(s, '\\') >= 0 && s[0] != '/'
}

// path is a Windows path in lower case, ASCII letters only: sensors send them so.
// Paths of other systems keep their case, which counts there.
func (p *textPool) path(s string) string {
	if isWindowsPath(s) || isWindowsProgram(s) {
		return p.lower(s)
	}
	return s
}

// fileName is the name of a Windows program in lower case.
func (p *textPool) fileName(s string) string {
	if isWindowsProgram(s) {
		return p.lower(s)
	}
	return s
}

// isWindowsProgram reports whether a bare file name is that of a Windows program.
func isWindowsProgram(s string) bool {
	if len(s) < 5 || s[len(s)-4] != '.' || s[0] == '/' {
		return false
	}
	switch strings.ToLower(s[len(s)-3:]) {
	case "exe", "dll", "com", "scr", "sys", "bat", "cmd", "ps1", "vbs", "msi":
		return strings.IndexByte(s, '/') < 0
	}
	return false
}

// domain is a domain in lower case, without the dot of the root.
func (p *textPool) domain(s string) string {
	return p.lower(strings.TrimRight(s, "."))
}

// address is an IP address as netip prints it: an IPv4 address that is mapped into
// IPv6 as IPv4, and without a zone, which is a name on the endpoint.
func (p *textPool) address(s string) string {
	if strings.IndexByte(s, ':') < 0 {
		return s // IPv4 has one form only
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	return p.take(a.Unmap().WithZone("").AppendTo(p.room(46)))
}

// osName is the name of an operating system as Carbon Black EDR writes it.
func (p *textPool) osName(s string) string {
	switch s = p.lower(s); s {
	case "mac", "macos", "os x", "mac os x", "darwin":
		return "osx"
	}
	return s
}

// NormalPath is a path as events have it: one of Windows in lower case.
func NormalPath(path string) string { return new(textPool).path(path) }

// NormalRegistryPath is a registry path as events have it, see Reg.
func NormalRegistryPath(path string) string { return new(textPool).registryPath(path) }
