package expression

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/events"
)

// A Misfit is a part of a plain value that a type does not take.
type Misfit struct {
	Path    []string // keys and indices from the top
	Key     bool     // the key is wrong, not its value
	Message string
	Hint    string
}

// Misfits lists what of a plain value (as YAML and JSON give it) the type does not
// take: keys that it does not have, values of another type, texts that no value of the
// type can be. A text with a template in it is taken: what it gives is not known.
func (t *Type) Misfits(v any) []Misfit {
	text, isText := v.(string)
	switch {
	case t == nil || t.Kind == Any || v == nil:
		return nil
	case isText && strings.Contains(text, "${{"):
		return nil
	case t.Kind == Object:
		return t.objectMisfits(v)
	case t.Kind == Map:
		m, ok := v.(map[string]any)
		if !ok {
			return t.mismatch(v)
		}
		var found []Misfit
		for _, key := range slices.Sorted(maps.Keys(m)) {
			found = append(found, inside(key, t.Elem.Misfits(m[key]))...)
		}
		return found
	case t.Kind == List:
		return t.listMisfits(v)
	case t.Kind == Text && isText:
		if message, hint := t.Impossible(text); message != "" {
			return []Misfit{{Message: message, Hint: hint}}
		}
		return nil
	case !t.takesPlain(v):
		return t.mismatch(v)
	}
	return t.outOfRange(v)
}

func inside(key string, found []Misfit) []Misfit {
	for i := range found {
		found[i].Path = append([]string{key}, found[i].Path...)
	}
	return found
}

func (t *Type) mismatch(v any) []Misfit {
	return []Misfit{{Message: fmt.Sprintf("this is %s, but must be %s", typeOfPlain(v), t)}}
}

func (t *Type) objectMisfits(v any) []Misfit {
	m, ok := v.(map[string]any)
	if !ok {
		return t.mismatch(v)
	}
	var found []Misfit
	for _, key := range slices.Sorted(maps.Keys(m)) {
		f, known := t.Field(key)
		if !known {
			miss := Misfit{Path: []string{key}, Key: true, Message: fmt.Sprintf("there is no %q here", key), Hint: "there are " + strings.Join(t.Names(), ", ")}
			if near := nearest.Word(key, t.Names()); near != "" {
				miss.Hint = fmt.Sprintf("did you mean %q?", near)
			}
			found = append(found, miss)
			continue
		}
		found = append(found, inside(key, f.Type.Misfits(m[key]))...)
	}
	return found
}

func (t *Type) listMisfits(v any) []Misfit {
	items, ok := v.([]any)
	if !ok {
		return t.mismatch(v)
	}
	var found []Misfit
	for i, item := range items {
		found = append(found, inside(strconv.Itoa(i), t.Elem.Misfits(item))...)
	}
	return found
}

// takesPlain reports whether a plain scalar is of the type.
func (t *Type) takesPlain(v any) bool {
	n, isNumber := number(v)
	text, isText := v.(string)
	switch t.Kind {
	case Int:
		return isNumber && n == math.Trunc(n)
	case Float:
		return isNumber
	case Bool:
		_, ok := v.(bool)
		return ok
	case Time:
		if _, ok := v.(time.Time); ok {
			return true
		}
		_, err := time.Parse(time.RFC3339Nano, text)
		return isText && err == nil
	case Duration:
		return isText || isNumber
	}
	return t.Kind == Nothing
}

// outOfRange reports a number that a field with a form cannot be.
func (t *Type) outOfRange(v any) []Misfit {
	n, _ := number(v)
	switch {
	case t.Form == "port" && (n < 0 || n > math.MaxUint16):
		return []Misfit{{Message: fmt.Sprintf("%v is no port", v), Hint: "ports are 0 to 65535"}}
	case t.Form == "pid" && (n < 0 || n > math.MaxUint32):
		return []Misfit{{Message: fmt.Sprintf("%v is no process id", v), Hint: "process ids are 0 to 4294967295"}}
	}
	return nil
}

func typeOfPlain(v any) string {
	switch v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		return string(Text)
	case bool:
		return string(Bool)
	case time.Time:
		return string(Time)
	}
	if n, ok := number(v); ok && n == math.Trunc(n) {
		return string(Int)
	}
	return string(Float)
}

// shortHash is the most digits that stand for a hash in a test: md5: bb.
const shortHash = 8

// Impossible says why no value of a text type can be this text, whatever its case;
// message is empty where one can. A few hex digits may stand for a hash.
func (t *Type) Impossible(text string) (message, hint string) {
	f := formsByName[t.Form]
	switch {
	case text == "":
		return "", ""
	case (t.Form == "md5" || t.Form == "sha256") && len(text) <= shortHash && strings.Trim(asciiLower(text), "0123456789abcdef") == "":
		return "", ""
	case f != nil && f.whole != nil:
		message, hint = f.whole(t.normal(text))
		if hint != "" {
			hint = fmt.Sprintf("write %s", hint)
		}
	}
	if message == "" && t.Words != nil {
		var instead string
		if message, instead = wordsMessage(t.Words, text, f != nil && f.lower); instead != "" {
			hint = fmt.Sprintf("did you mean %q?", instead)
		}
	}
	if message != "" {
		message = fmt.Sprintf("%q cannot be here: %s", shorten(text), message)
	}
	return message, hint
}

// normal is the text in the form that decoding gives it.
func (t *Type) normal(text string) string {
	switch t.Form {
	case "path", "name":
		return events.NormalPath(text)
	case "reg":
		return events.NormalRegistryPath(text)
	case "domain":
		return strings.TrimRight(asciiLower(text), ".")
	case "ip":
		if a, err := netip.ParseAddr(text); err == nil {
			return a.Unmap().WithZone("").String()
		}
		return asciiLower(text)
	case "ext", "md5", "sha256", "word", "os":
		return asciiLower(text)
	}
	return text
}
