package actions

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"edrpipe/pkg/edr"
)

// RegistryPath is the path of a key, or of a key and the name of a value, below
// one of the hives.
type RegistryPath string

var _ encoding.TextUnmarshaler = (*RegistryPath)(nil)

// UnmarshalText takes short and long names of hives.
func (p *RegistryPath) UnmarshalText(b []byte) error {
	hive, rest, found := strings.Cut(string(b), `\`)
	if !found || rest == "" {
		return fmt.Errorf(`%s is not a registry path: want something like HKLM\Software\…`, edr.Quote(shorten(string(b))))
	}
	switch strings.ToUpper(hive) {
	case "HKLM", "HKEY_LOCAL_MACHINE", "HKU", "HKEY_USERS", "HKCR", "HKEY_CLASSES_ROOT", "HKCU", "HKEY_CURRENT_USER", "HKCC", "HKEY_CURRENT_CONFIG":
		*p = RegistryPath(b)
		return nil
	}
	return fmt.Errorf("%s is not a registry path: %s is no hive", edr.Quote(shorten(string(b))), edr.Quote(shorten(hive)))
}

// MarshalText writes the path.
func (p RegistryPath) MarshalText() ([]byte, error) { return []byte(p), nil }

// value splits off the name of the value.
func (p RegistryPath) value() (key, name string) {
	i := strings.LastIndexByte(string(p), '\\')
	return string(p)[:i], string(p)[i+1:]
}

// RegistryValueOutput is a registry value.
type RegistryValueOutput struct {
	Key  string `json:"key" doc:"the key that holds it"`
	Name string `json:"name"`
	Type string `json:"type" doc:"REG_SZ, REG_DWORD, …"`
	Data any    `json:"data" doc:"text, whole number, or list of text"`
	Text string `json:"text" doc:"the data as Sysmon shows it in Details: the text itself, DWORD (0x00000001), QWORD (0x00000000-0x00000001), or Binary Data"`
}

// sysmonText is a value as Sysmon shows it in the Details of a registry event, so
// that a Sigma rule's comparison with Details keeps its meaning.
func sysmonText(v edr.RegistryValue) string {
	number, err := strconv.ParseUint(fmt.Sprint(v.Data), 10, 64)
	switch {
	case v.Type == "REG_SZ" || v.Type == "REG_EXPAND_SZ":
		text, _ := v.Data.(string)
		return text
	case v.Type == "REG_DWORD" && err == nil:
		return fmt.Sprintf("DWORD (0x%08x)", number)
	case v.Type == "REG_QWORD" && err == nil:
		return fmt.Sprintf("QWORD (0x%08x-0x%08x)", number>>32, number&0xffffffff)
	}
	return "Binary Data"
}

// registrySpec is what all registry actions have in common.
func registrySpec(name, summary string, class Class, commands ...string) Spec {
	return Spec{
		Name:        name,
		Summary:     summary,
		Class:       class,
		Session:     true,
		Powers:      []edr.Power{edr.PowerRegistry},
		Destructive: class != Repeatable,
		Commands:    commands,
		Platforms:   []edr.OS{edr.Windows},
		Permissions: []string{permitLiveResponse},
	}
}

// registryData brings a value from a rule or a job record into the form that
// edr.RegistryValue documents, and finds its type where none was given.
func registryData(typ string, data any) (edr.RegistryValue, error) {
	v := reflect.ValueOf(data)
	if !v.IsValid() {
		return edr.RegistryValue{}, fmt.Errorf("parameter \"data\" is missing")
	}
	if n, ok := whole(v); ok {
		if typ == "" {
			typ = "REG_DWORD"
			if n < 0 || n > math.MaxUint32 {
				typ = "REG_QWORD"
			}
		}
		if typ == "REG_DWORD" || typ == "REG_QWORD" {
			return edr.RegistryValue{Type: typ, Data: n}, nil
		}
		return edr.RegistryValue{}, fmt.Errorf("data of %s is not a number: %d", typ, n)
	}
	switch v.Kind() {
	case reflect.String:
		return registryText(typ, v.String())
	case reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			s, ok := v.Index(i).Interface().(string)
			if !ok {
				return edr.RegistryValue{}, fmt.Errorf("data of REG_MULTI_SZ is a list of text, got %v", v.Index(i).Interface())
			}
			list[i] = s
		}
		if typ != "" && typ != "REG_MULTI_SZ" {
			return edr.RegistryValue{}, fmt.Errorf("data of %s is not a list", typ)
		}
		return edr.RegistryValue{Type: "REG_MULTI_SZ", Data: list}, nil
	}
	return edr.RegistryValue{}, fmt.Errorf("the registry cannot hold %s", describe(v))
}

func registryText(typ, text string) (edr.RegistryValue, error) {
	switch typ {
	case "":
		return edr.RegistryValue{Type: "REG_SZ", Data: text}, nil
	case "REG_DWORD", "REG_QWORD":
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return edr.RegistryValue{}, fmt.Errorf("data of %s: %q is not a number", typ, shorten(text))
		}
		return edr.RegistryValue{Type: typ, Data: n}, nil
	case "REG_MULTI_SZ":
		return edr.RegistryValue{Type: typ, Data: []string{text}}, nil
	}
	return edr.RegistryValue{Type: typ, Data: text}, nil
}

// sameData compares registry data whatever the width of its numbers.
func sameData(a, b any) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.IsValid() && vb.IsValid() {
		na, oka := whole(va)
		nb, okb := whole(vb)
		if oka && okb {
			return na == nb
		}
	}
	return reflect.DeepEqual(a, b)
}
