package expression

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// Zero is the value that a name of the type has before anything is known of it.
func (t *Type) Zero() any {
	switch t.Kind {
	case Text:
		return ""
	case Int:
		return 0
	case Float:
		return 0.0
	case Bool:
		return false
	case Time:
		return time.Time{}
	case Duration:
		return time.Duration(0)
	case List:
		return []any{}
	case Map:
		return map[string]any{}
	case Object:
		m := make(map[string]any, len(t.Fields))
		for _, f := range t.Fields {
			m[f.Name] = f.Type.Zero()
		}
		return m
	}
	return nil
}

// Conform turns a value as JSON decoding gives it into one of the type: fields
// that are missing get their zero value, whole numbers become int, times and
// durations are read from text. What does not fit becomes the zero value, so
// that a program compiled against the type cannot fail on it.
func (t *Type) Conform(v any) any {
	switch t.Kind {
	case Text:
		if s, ok := v.(string); ok {
			return s
		}
	case Int:
		switch n := v.(type) {
		case int:
			return n
		case json.Number:
			if i, err := n.Int64(); err == nil {
				return int(i) // exact beyond 2^53
			}
		}
		if n, ok := number(v); ok && math.Abs(n) < 1<<63 {
			return int(n)
		}
	case Float:
		if n, ok := number(v); ok {
			return n
		}
	case Bool:
		if b, ok := v.(bool); ok {
			return b
		}
	case Time:
		return conformTime(v)
	case Duration:
		return conformDuration(v)
	case List:
		return t.conformList(v)
	case Map:
		if m, ok := v.(map[string]any); ok {
			return plainMap(m)
		}
	case Object:
		return t.conformObject(v)
	default:
		return Plain(v)
	}
	return t.Zero()
}

func (t *Type) conformList(v any) any {
	items, ok := v.([]any)
	if !ok {
		return []any{}
	}
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = t.Elem.Conform(item)
	}
	return out
}

func (t *Type) conformObject(v any) any {
	given, _ := v.(map[string]any)
	m := make(map[string]any, len(t.Fields))
	for _, f := range t.Fields {
		if value, ok := given[f.Name]; ok {
			m[f.Name] = f.Type.Conform(value)
		} else {
			m[f.Name] = f.Type.Zero()
		}
	}
	return m
}

func conformTime(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t
		}
	}
	return time.Time{}
}

func conformDuration(v any) any {
	if d, ok := v.(time.Duration); ok {
		return d
	}
	if s, ok := v.(string); ok {
		if d, err := time.ParseDuration(s); err == nil {
			return d
		}
	}
	if n, ok := number(v); ok && math.Abs(n) < 1<<63 {
		return time.Duration(n)
	}
	return time.Duration(0)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// Plain turns numbers as JSON decoding gives them into int where they are
// whole, throughout a value. A number that neither int nor float64 can hold keeps its
// digits.
func Plain(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v)
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return int(i)
		}
		if f, err := v.Float64(); err == nil && strings.ContainsAny(string(v), ".eE") {
			return Plain(f)
		}
	case map[string]any:
		return plainMap(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = Plain(item)
		}
		return out
	}
	return v
}

func plainMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = Plain(value)
	}
	return out
}
