package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"edrpipe/internal/nearest"
)

// Custom is a type that reads its own node. It reports problems to the decoder.
type Custom interface {
	DecodeYAML(d *Decoder, n *yaml.Node, path Path)
}

// Decode fills into, a pointer, from the document and returns all that is
// wrong with it. What could be decoded is filled in even then, so that further
// checks can run and be reported together.
func (d *Document) Decode(into any) Problems {
	return d.DecodePart("", into)
}

// DecodePart is Decode for the value at path only.
func (d *Document) DecodePart(path Path, into any) Problems {
	_, n, whole := find(d.root, path)
	if !whole {
		return Problems{d.At(path, fmt.Sprintf("%s is missing", path))}
	}
	dec := &Decoder{doc: d, fields: map[reflect.Type][]field{}, left: written(n) + maxAlias}
	dec.Value(n, path, into)
	return dec.problems
}

// written counts the values below a node, aliases not followed.
func written(n *yaml.Node) int {
	count := 1
	for _, c := range n.Content {
		count += written(c)
	}
	return count
}

// Decoder walks one document. It is for one goroutine.
type Decoder struct {
	doc      *Document
	problems Problems
	fields   map[reflect.Type][]field
	left     int // values that may still be visited
	depth    int
	full     bool // a limit was reached and reported
}

// Value decodes n, which stands at path, into the value that into points to.
func (d *Decoder) Value(n *yaml.Node, path Path, into any) {
	d.value(n, path, reflect.ValueOf(into).Elem(), "")
}

// Report adds a problem with n.
func (d *Decoder) Report(n *yaml.Node, path Path, message, hint string) {
	p := d.doc.at(n, path, message)
	p.Hint = hint
	d.problems = append(d.problems, p)
}

// enter counts a node against the limits; the caller leaves when it gives true.
func (d *Decoder) enter(n *yaml.Node, path Path) bool {
	d.left--
	d.depth++
	if d.full {
		d.depth--
		return false
	}
	switch {
	case d.depth > MaxDepth:
		d.Report(n, path, fmt.Sprintf("nested more than %d deep", MaxDepth), "")
	case d.left < 0:
		d.Report(n, path, "the document is too large once its aliases are filled in", "")
	default:
		return true
	}
	d.full = true
	d.depth--
	return false
}

func (d *Decoder) leave() { d.depth-- }

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	customType   = reflect.TypeFor[Custom]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value decodes into a settable v. The tag is that of the struct field, for
// its enum, min, max and list parts.
func (d *Decoder) value(n *yaml.Node, path Path, v reflect.Value, tag reflect.StructTag) {
	if !d.enter(n, path) {
		return
	}
	defer d.leave()
	n = resolve(n)
	if t := unknownTag(n); t != "" {
		d.Report(n, path, "YAML takes "+t+" for a tag", "put a text that begins with ! in quotes, or on a line of its own below >")
		return
	}
	switch {
	case v.Addr().Type().Implements(customType):
		v.Addr().Interface().(Custom).DecodeYAML(d, n, path)
		return
	case v.Type() == durationType, v.Type() == timeType:
		d.scalar(n, path, v, tag)
		return
	case v.Addr().Type().Implements(textType):
		d.text(n, path, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, path, v.Elem(), tag)
	case reflect.Struct:
		d.structure(n, path, v)
	case reflect.Map:
		d.mapping(n, path, v, tag)
	case reflect.Slice:
		d.list(n, path, v, tag)
	case reflect.Interface:
		if plain, ok := d.plain(n, path); ok && plain != nil {
			v.Set(reflect.ValueOf(plain))
		}
	default:
		d.scalar(n, path, v, tag)
	}
}

// unknownTag returns an explicit tag that has no meaning here.
func unknownTag(n *yaml.Node) string {
	switch tag := n.ShortTag(); tag {
	case "", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!timestamp", "!!merge":
		return ""
	default:
		return tag
	}
}

func (d *Decoder) text(n *yaml.Node, path Path, v reflect.Value) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.Report(n, path, "must be text, is "+kindOf(n), "")
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
		d.Report(n, path, err.Error(), "")
	}
}

func (d *Decoder) structure(n *yaml.Node, path Path, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.Report(n, path, what(path)+" must be a mapping (key: value), is "+kindOf(n), "")
		return
	}
	fields := d.fieldsOf(v.Type())
	seen := map[string]string{}   // field to the key that set it
	misspelt := map[string]bool{} // fields that an unknown key probably means
	for key, value := range d.pairs(n, path) {
		if path == "" && strings.HasPrefix(key.Value, "x-") {
			continue
		}
		f := fieldNamed(fields, key.Value)
		if f == nil {
			if meant := d.unknownKey(key, path, fields); meant != "" {
				misspelt[meant] = true
			}
			continue
		}
		if first, twice := seen[f.name]; twice {
			d.Report(key, path.Key(key.Value), fmt.Sprintf("%q and %q mean the same; only one can be given", first, key.Value), "remove one of them")
			continue
		}
		seen[f.name] = key.Value
		d.field(value, path.Key(key.Value), v.FieldByIndex(f.index), f)
	}
	for _, f := range fields {
		if _, there := seen[f.name]; f.required && !there && !misspelt[f.name] {
			d.Report(n, path, fmt.Sprintf("%s needs %q", what(path), f.name), "")
		}
	}
}

func (d *Decoder) field(value *yaml.Node, path Path, v reflect.Value, f *field) {
	if isNull(resolve(value)) && v.Kind() != reflect.Interface {
		d.Report(value, path, fmt.Sprintf("%q has no value", f.name), "give it one, or leave the key out")
		return
	}
	d.value(value, path, v, f.tag)
}

func fieldNamed(fields []field, key string) *field {
	for i := range fields {
		if fields[i].name == key || slices.Contains(fields[i].aliases, key) {
			return &fields[i]
		}
	}
	return nil
}

// unknownKey reports a key that no field has and returns the field meant.
func (d *Decoder) unknownKey(key *yaml.Node, path Path, fields []field) (meant string) {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	hint := "known here: " + strings.Join(names, ", ")
	if meant = nearest.Word(key.Value, names); meant != "" {
		hint = fmt.Sprintf("did you mean %q?", meant)
	}
	d.Report(key, path.Key(key.Value), fmt.Sprintf("unknown key %q in %s", key.Value, what(path)), hint)
	return meant
}

func (d *Decoder) list(n *yaml.Node, path Path, v reflect.Value, tag reflect.StructTag) {
	switch {
	case n.Kind == yaml.SequenceNode:
	case tag.Get("list") == "one" && n.Kind == yaml.ScalarNode:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.value(n, path, v.Index(0), tag)
		return
	default:
		d.Report(n, path, what(path)+" must be a list, is "+kindOf(n), listHint(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		if isNull(resolve(item)) && v.Type().Elem().Kind() != reflect.Interface {
			d.Report(item, path.Index(i), "an empty list item", "give it a value, or remove the dash")
			continue
		}
		d.value(item, path.Index(i), v.Index(i), tag)
	}
}

func listHint(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return fmt.Sprintf("write [%s]", n.Value)
	}
	return "begin each item with a dash"
}

// what names the place in a message: the last part of its path.
func what(path Path) string {
	segments := path.segments()
	if len(segments) == 0 {
		return "the file"
	}
	last := segments[len(segments)-1]
	if last.index < 0 {
		return fmt.Sprintf("%q", last.key)
	}
	if len(segments) > 1 && segments[len(segments)-2].index < 0 {
		return fmt.Sprintf("item %d of %q", last.index+1, segments[len(segments)-2].key)
	}
	return fmt.Sprintf("item %d", last.index+1)
}

// kindOf names the kind of a node, for messages.
func kindOf(n *yaml.Node) string {
	switch n = resolve(n); n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}
