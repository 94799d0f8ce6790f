package strictyaml

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"edrpipe/internal/nearest"
)

// scalar decodes text, numbers, booleans, durations and times.
func (d *Decoder) scalar(n *yaml.Node, path Path, v reflect.Value, tag reflect.StructTag) {
	if n.Kind != yaml.ScalarNode {
		d.Report(n, path, fmt.Sprintf("%s must be %s, is %s", what(path), wanted(v.Type()), kindOf(n)), "")
		return
	}
	if isNull(n) {
		d.Report(n, path, what(path)+" has no value", "give it one, or leave it out")
		return
	}
	switch {
	case v.Type() == durationType:
		d.duration(n, path, v)
	case v.Type() == timeType:
		d.time(n, path, v)
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
		d.oneOf(n, path, tag.Get("enum"))
	case v.Kind() == reflect.Bool:
		d.boolean(n, path, v)
	case v.CanInt():
		d.integer(n, path, v, tag)
	case v.CanUint():
		d.unsigned(n, path, v, tag)
	case v.CanFloat():
		d.float(n, path, v, tag)
	default:
		d.Report(n, path, fmt.Sprintf("%s cannot be given here", what(path)), "")
	}
}

func wanted(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration like 15m"
	case t == timeType:
		return "a time like 2026-01-31T15:04:05Z"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "a number"
}

func (d *Decoder) oneOf(n *yaml.Node, path Path, enum string) {
	if enum == "" {
		return
	}
	allowed := strings.Split(enum, ",")
	if slices.Contains(allowed, n.Value) {
		return
	}
	hint := "one of " + strings.Join(allowed, ", ")
	if near := nearest.Word(n.Value, allowed); near != "" {
		hint = fmt.Sprintf("did you mean %q? (%s)", near, hint)
	}
	d.Report(n, path, fmt.Sprintf("%s cannot be %q", what(path), n.Value), hint)
}

func (d *Decoder) boolean(n *yaml.Node, path Path, v reflect.Value) {
	switch {
	case n.ShortTag() == "!!bool" && n.Value == "true":
		v.SetBool(true)
	case n.ShortTag() == "!!bool" && n.Value == "false":
		v.SetBool(false)
	default:
		hint := ""
		switch strings.ToLower(n.Value) {
		case "yes", "on", "y", "true":
			hint = "write true"
		case "no", "off", "n", "false":
			hint = "write false"
		}
		d.Report(n, path, fmt.Sprintf("%s must be true or false, is %q", what(path), n.Value), hint)
	}
}

var (
	decimal     = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	hexadecimal = regexp.MustCompile(`^0x[0-9a-fA-F]+$`)
	fraction    = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// number checks the form that integers have here: decimal, no leading zero,
// because YAML 1.1 reads 010 as 8 and people read it as 10.
func (d *Decoder) number(n *yaml.Node, path Path) bool {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		d.Report(n, path, what(path)+" must be a number, is text in quotes", "remove the quotes")
		return false
	}
	if !decimal.MatchString(n.Value) {
		d.Report(n, path, fmt.Sprintf("%s must be a whole number, is %q", what(path), n.Value), "decimal, like 10")
		return false
	}
	return true
}

func (d *Decoder) integer(n *yaml.Node, path Path, v reflect.Value, tag reflect.StructTag) {
	if !d.number(n, path) {
		return
	}
	i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
	if err != nil {
		d.Report(n, path, fmt.Sprintf("%s is out of range: %s", what(path), n.Value), "")
		return
	}
	v.SetInt(i)
	d.inRange(n, path, float64(i), tag)
}

func (d *Decoder) unsigned(n *yaml.Node, path Path, v reflect.Value, tag reflect.StructTag) {
	if !d.number(n, path) {
		return
	}
	i, err := strconv.ParseUint(strings.TrimPrefix(n.Value, "+"), 10, v.Type().Bits())
	if err != nil {
		d.Report(n, path, fmt.Sprintf("%s is out of range: %s", what(path), n.Value), "")
		return
	}
	v.SetUint(i)
	d.inRange(n, path, float64(i), tag)
}

func (d *Decoder) float(n *yaml.Node, path Path, v reflect.Value, tag reflect.StructTag) {
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || !fraction.MatchString(n.Value) {
		d.Report(n, path, fmt.Sprintf("%s must be a number, is %q", what(path), n.Value), "")
		return
	}
	v.SetFloat(f)
	d.inRange(n, path, f, tag)
}

func (d *Decoder) inRange(n *yaml.Node, path Path, got float64, tag reflect.StructTag) {
	low, hasLow := bound(tag, "min")
	high, hasHigh := bound(tag, "max")
	switch {
	case hasLow && got < low:
		d.Report(n, path, fmt.Sprintf("%s must be at least %s", what(path), tag.Get("min")), "")
	case hasHigh && got > high:
		d.Report(n, path, fmt.Sprintf("%s must be at most %s", what(path), tag.Get("max")), "")
	}
}

func bound(tag reflect.StructTag, name string) (float64, bool) {
	f, err := strconv.ParseFloat(tag.Get(name), 64)
	return f, err == nil
}

func (d *Decoder) duration(n *yaml.Node, path Path, v reflect.Value) {
	span, err := ParseDuration(n.Value)
	if err != nil {
		d.Report(n, path, fmt.Sprintf("%s: %v", what(path), err), "write it like 90s, 15m, 72h, 7d or 1h30m")
		return
	}
	v.SetInt(int64(span))
}

func (d *Decoder) time(n *yaml.Node, path Path, v reflect.Value) {
	t, err := time.Parse(time.RFC3339Nano, n.Value)
	if err != nil {
		d.Report(n, path, fmt.Sprintf("%s must be a time, is %q", what(path), n.Value), "write it like 2026-01-31T15:04:05Z")
		return
	}
	v.Set(reflect.ValueOf(t))
}

// plain decodes a node into map[string]any, []any, string, int, float64, bool
// or nil. Dates stay text.
func (d *Decoder) plain(n *yaml.Node, path Path) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for key, value := range d.pairs(n, path) {
			var item any
			d.value(value, path.Key(key.Value), reflect.ValueOf(&item).Elem(), "")
			m[key.Value] = item
		}
		return m, true
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			d.value(item, path.Index(i), reflect.ValueOf(&list[i]).Elem(), "")
		}
		return list, true
	}
	return d.plainScalar(n, path)
}

func (d *Decoder) plainScalar(n *yaml.Node, path Path) (any, bool) {
	switch n.ShortTag() {
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!int", "!!float":
		return d.plainNumber(n, path)
	}
	return n.Value, true
}

// plainNumber reads an integer, decimal or as 0x1410, or a fraction. YAML takes integers
// that are too large for fractions, which would change them: refused.
func (d *Decoder) plainNumber(n *yaml.Node, path Path) (any, bool) {
	const hint = "put it in quotes if it is text"
	if decimal.MatchString(n.Value) || hexadecimal.MatchString(n.Value) {
		i, err := strconv.ParseInt(n.Value, 0, strconv.IntSize) // 0: as its prefix says
		if err != nil {
			d.Report(n, path, fmt.Sprintf("the number %s is too large", n.Value), hint)
		}
		return int(i), err == nil
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || !fraction.MatchString(n.Value) || math.IsInf(f, 0) {
		d.Report(n, path, fmt.Sprintf("%s is not a decimal number", n.Value), hint)
		return nil, false
	}
	return f, true
}

// Entry is one key of an Ordered mapping.
type Entry[T any] struct {
	Key   string
	Value T
}

// Ordered is a mapping whose order matters.
type Ordered[T any] []Entry[T]

// DecodeYAML implements Custom.
func (o *Ordered[T]) DecodeYAML(d *Decoder, n *yaml.Node, path Path) {
	if n.Kind != yaml.MappingNode {
		d.Report(n, path, what(path)+" must be a mapping (key: value), is "+kindOf(n), "")
		return
	}
	for key, value := range d.pairs(n, path) {
		e := Entry[T]{Key: key.Value}
		d.Value(value, path.Key(key.Value), &e.Value)
		*o = append(*o, e)
	}
}
