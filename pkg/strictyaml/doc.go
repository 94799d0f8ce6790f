// Package strictyaml decodes the files that people write for edrpipe: rules, guards and
// configuration. Unknown and duplicate keys, wrong types, missing keys and empty values
// are problems. All problems are reported together, each with file, line and column, the
// line with a caret, and the probable intention.
//
// Structs describe a file by tags:
//
//	Name  string        `yaml:"name,required"`
//	Mode  string        `yaml:"mode" enum:"shadow,enforce"`
//	On    []string      `yaml:"on" list:"one"`  // a single value is a list of one
//	Event []string      `yaml:"on,alias=event"` // a second name for the same key
//	Jobs  int           `yaml:"jobs" min:"1" max:"100"`
//	Wait  time.Duration `yaml:"wait"`           // 90s, 15m, 72h, 7d, 1h30m
//
// Further types: bool, integers, floats, time.Time (RFC 3339), pointers,
// structs (inline with `yaml:",inline"`), slices, maps with text keys, any,
// types with UnmarshalText, and Custom for those that read nodes themselves.
//
// Only true and false are booleans, numbers are decimal, text is taken as it
// was written. Anchors, aliases and merge keys work, within limits; top-level
// keys that begin with x- are there to hold anchors and are not looked at.
package strictyaml
