package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// A Key is one setting: a leaf of Config.
type Key struct {
	Path   string // bus.url
	Doc    string
	Secret string   // "file": the value names a file that holds a secret
	Kind   string   // text, number, true or false, duration, list
	Choice []string // the words that the value may be; empty: any

	Min, Max string // bounds of a number; empty: none
	Required bool   // an entry of servers must have it

	index []int
}

// Env is the environment variable of the key: bus.url is EDRPIPE_BUS_URL.
func (k Key) Env() string {
	return "EDRPIPE_" + strings.ToUpper(strings.ReplaceAll(k.Path, ".", "_"))
}

// Flag is the command-line flag of the key, without dashes.
func (k Key) Flag() string {
	return strings.ReplaceAll(k.Path, "_", "-")
}

// Keys lists every setting in the order of the file.
func Keys() []Key {
	return collect(reflect.TypeFor[Config](), "", nil)
}

func collect(t reflect.Type, prefix string, index []int) []Key {
	var keys []Key
	for i := range t.NumField() {
		f := t.Field(i)
		path := prefix + f.Tag.Get("yaml")
		at := append(append([]int(nil), index...), i)
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct || f.Type.Kind() == reflect.Map {
			continue // entries have keys, the list has none
		}
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, collect(f.Type, path+".", at)...)
			continue
		}
		keys = append(keys, keyOf(f, path, at))
	}
	return keys
}

func keyOf(f reflect.StructField, path string, index []int) Key {
	k := Key{Path: path, Required: strings.HasSuffix(f.Tag.Get("yaml"), ",required"), Doc: f.Tag.Get("doc"), Secret: f.Tag.Get("secret"), Kind: kindOf(f.Type), index: index, Min: f.Tag.Get("min"), Max: f.Tag.Get("max")}
	if words := f.Tag.Get("enum"); words != "" {
		k.Choice = strings.Split(words, ",")
	}
	return k
}

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return "number"
	}
	return "text"
}

// value is the key's place in c.
func (k Key) value(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(k.index)
}

// Get returns the key's value in c as it would be written in the file.
func (k Key) Get(c Config) string {
	return writeValue(k.value(&c).Interface())
}

func writeValue(value any) string {
	switch v := value.(type) {
	case time.Duration:
		return writeDuration(v)
	case []string:
		if len(v) == 0 {
			return "[]"
		}
		b, _ := json.Marshal(v) // a list of strings always can be
		return string(b)
	case string:
		return writeText(v)
	default:
		return fmt.Sprint(v)
	}
}

// Text returns the key's value in c where its kind is text, unquoted; else "".
func (k Key) Text(c Config) string {
	text, _ := k.value(&c).Interface().(string)
	return text
}

// Set parses text into the key. A list is separated by commas.
func (k Key) Set(c *Config, text string) error {
	v := k.value(c)
	var err error
	switch k.Kind {
	case "duration":
		var d time.Duration
		d, err = strictyaml.ParseDuration(text)
		v.SetInt(int64(d))
	case "list":
		var list []string
		for _, s := range strings.Split(text, ",") {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
		v.Set(reflect.ValueOf(list))
	case "true or false":
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case "number":
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
		if err == nil {
			return k.inBounds(n)
		}
	default:
		v.SetString(text)
	}
	if err != nil {
		return fmt.Errorf("%q is not a %s", text, k.Kind)
	}
	return nil
}

// inBounds finds a number that the file could not have either.
func (k Key) inBounds(n int64) error {
	low, noLow := strconv.ParseInt(k.Min, 10, 64)
	high, noHigh := strconv.ParseInt(k.Max, 10, 64)
	switch {
	case (noLow != nil || n >= low) && (noHigh != nil || n <= high):
		return nil
	case noHigh != nil:
		return fmt.Errorf("must be at least %d", low)
	}
	return fmt.Errorf("must be from %d to %d", low, high)
}

// writeText writes a text so that YAML reads it back: in quotes where it needs them.
func writeText(s string) string {
	plain, err := yaml.Marshal(s)
	if line := strings.TrimSuffix(string(plain), "\n"); err == nil && s != "" && !strings.Contains(line, "\n") {
		return line
	}
	b, _ := json.Marshal(s) // a text always can be
	return string(b)
}

// writeDuration writes d the way people would: 30d, 15m, 1h30m.
func writeDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
