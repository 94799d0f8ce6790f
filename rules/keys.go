package rules

import (
	"reflect"
	"strings"

	"edrpipe/pkg/strictyaml"
)

// Key is a key of a rule file, for tools that help to write them.
type Key struct {
	Name     string
	Aliases  []string
	Doc      string
	Value    string   // what it takes, in words
	Words    []string // the values that it takes, where they are few
	Default  string
	Required bool
	List     bool // it takes a list
	Mapping  bool // it takes a mapping with known keys, or a list of them
}

// Keys lists the keys of the mapping that stands under the given keys, from the top
// of a file of rules or of tests, in the order of the reference: Keys("rules",
// "steps") are those of a step. It is nil where any key may stand, or none.
func Keys(path ...string) []Key {
	t := reflect.TypeFor[fileDocument]()
	if len(path) > 0 && path[0] == "tests" {
		t = reflect.TypeFor[testFileDocument]()
	}
	for _, name := range path {
		if t = typeUnder(t, name); t == nil {
			return nil
		}
	}
	var keys []Key
	for _, f := range strictyaml.Fields(t) {
		keys = append(keys, keyOf(f))
	}
	return keys
}

// typeUnder is the struct that a key of a struct holds; nil where it holds none.
func typeUnder(t reflect.Type, name string) reflect.Type {
	for _, f := range strictyaml.Fields(t) {
		if f.Name == name && f.Type.Kind() != reflect.Map {
			return structOf(f.Type)
		}
	}
	return nil
}

func keyOf(f strictyaml.Field) Key {
	k := Key{
		Name: f.Name, Aliases: f.Aliases, Required: f.Required, Doc: f.Tag.Get("doc"), Default: f.Tag.Get("default"),
		Value: valueWords(f.Type, f.Tag), List: f.Type.Kind() == reflect.Slice, Mapping: structOf(f.Type) != nil,
	}
	if words := f.Tag.Get("enum"); words != "" {
		k.Words = strings.Split(words, ",")
	}
	if structOf(f.Type) == nil && (f.Type.Kind() == reflect.Bool || f.Type == reflect.TypeFor[*bool]()) {
		k.Words = []string{"true", "false"}
	}
	return k
}
