package expression

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/strictyaml"
)

var valueFunctions = []Function{
	{
		Name: "has", Signature: "has(field)", Result: BoolType,
		Doc:     "The event says something about the field: it is not empty, 0 or false. Fields under raw may be missing on the way.",
		Example: `has(process.sha256) && has(raw.docs.comms_ip)`,
		types:   []any{new(func(any) bool)},
		call: func(args ...any) (any, error) {
			return isPresent(args[0]), nil
		},
	},
	{
		Name: "known", Signature: "known(sensor.type)", Result: BoolType,
		Doc:     "The fact of the endpoint is known, from its events, its server or the endpoints file. A comparison with a fact that is not known is neither true nor false.",
		Example: `known(sensor.type) && sensor.type != "server"`,
		types:   []any{new(func(any) bool)},
		call: func(...any) (any, error) {
			return true, nil // where a fact is unknown, Program.Truth answers
		},
	},
	{
		Name: "in_list", Signature: `in_list(text, "name")`, Result: BoolType, Total: true,
		Doc:     "The named list has the text, an address also by its network, a domain also by *.; case does not count. Lists are the files lists/<name>.txt, one value a line, and lists/<name>.csv beside the rules.",
		Example: `!in_list(process.sha256, "known-good")`,
		types:   []any{new(func(string, string) bool)},
		check:   knownList,
		bind:    inList,
	},
	{
		Name: "fromJSON", Signature: "fromJSON(text)", Result: AnyType,
		Doc:     "The value that JSON text holds. Whole numbers keep all their digits.",
		Example: `fromJSON(raw.detail).id == 9007199254740993`,
		types:   []any{new(func(string) any)},
		call: onText(1, func(args []string) (any, error) {
			return events.DecodeJSON([]byte(args[0]))
		}),
	},
	{
		Name: "duration", Signature: `duration("15m")`, Result: DurationType, Total: true,
		Doc:     "A duration: 90s, 15m, 72h, 7d, 1h30m.",
		Example: `event.age < duration("15m")`,
		types:   []any{new(func(string) time.Duration)},
		check: func(_ *Scope, args []constant) *argError {
			text, ok := args[0].text()
			if !ok {
				return &argError{0, "the duration must be a constant text", `duration("15m")`}
			}
			if _, err := strictyaml.ParseDuration(text); err != nil {
				return &argError{0, err.Error(), "write it like 90s, 15m, 72h, 7d or 1h30m"}
			}
			return nil
		},
		call: onText(1, func(a []string) (any, error) {
			d, err := strictyaml.ParseDuration(a[0])
			return d, err
		}),
	},
}

// isPresent reports whether a value is other than nothing and the zero value.
func isPresent(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Map:
		return r.Len() > 0
	}
	return !r.IsZero()
}

func inList(s *Scope) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		text, err := textOf(args[0])
		if err != nil {
			return nil, err
		}
		name, _ := args[1].(string)
		if s.lists == nil {
			return nil, errors.New("there are no lists")
		}
		return s.lists.Has(name, text), nil
	}
}

func knownList(s *Scope, args []constant) *argError {
	name, ok := args[1].text()
	if !ok {
		return &argError{1, "the name of the list must be a constant text", `in_list(value, "known-good")`}
	}
	var known []string
	if s.lists != nil {
		known = s.lists.Names()
	}
	for _, k := range known {
		if k == name {
			return nil
		}
	}
	e := &argError{1, fmt.Sprintf("there is no list %q", name), "put its values into lists/" + name + ".txt beside the rules, one a line"}
	if near := nearest.Word(name, known); near != "" {
		e.hint = fmt.Sprintf("did you mean %q?", near)
	} else if len(known) > 0 {
		e.hint = "lists are " + strings.Join(known, ", ") + "; a new one is a file lists/" + name + ".txt beside the rules"
	}
	return e
}

// KindOf is the kind of a value, for messages.
func KindOf(v any) Kind {
	switch v.(type) {
	case nil:
		return Nothing
	case time.Time:
		return Time
	case time.Duration:
		return Duration
	}
	return Of(reflect.TypeOf(v)).Kind
}
