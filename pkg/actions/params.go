package actions

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"edrpipe/pkg/strictyaml"
)

// A Field describes one parameter or output of an action. Its source is a field
// of the action's Go type:
//
//	Path RemotePath `json:"path" required:"true" doc:"file on the endpoint"`
//
// The tags are json (the name that rules use), doc, required, default (written
// as in a rule), oneof (comma separated), literal (no ${{ }} allowed: the
// value decides what is executed, so event text may not reach it) and names (script or
// secret: the value names something that the configuration has to have).
type Field struct {
	Name     string
	Type     reflect.Type
	Doc      string
	Required bool
	Literal  bool
	Default  string
	OneOf    []string
	Names    string

	index   []int // as reflect.Value.FieldByIndex takes it
	located bool  // a place on an endpoint, or several
}

// Fields lists the fields of a parameter or output type in the order written.
// The list is shared: it must not be changed.
func Fields(t reflect.Type) []Field {
	if known, ok := described.Load(t); ok {
		return known.([]Field)
	}
	known, _ := described.LoadOrStore(t, fieldsOf(t))
	return known.([]Field)
}

// described remembers what Fields said: the same for good.
var described sync.Map // reflect.Type → []Field

func fieldsOf(t reflect.Type) []Field {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var fields []Field
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || name == "" {
			continue
		}
		field := Field{
			Name:     name,
			Type:     f.Type,
			Doc:      f.Tag.Get("doc"),
			Required: f.Tag.Get("required") == "true",
			Literal:  f.Tag.Get("literal") == "true",
			Default:  f.Tag.Get("default"),
			Names:    f.Tag.Get("names"),
			index:    f.Index,
			located:  isLocated(f.Type),
		}
		if list := f.Tag.Get("oneof"); list != "" {
			field.OneOf = strings.Split(list, ",")
		}
		fields = append(fields, field)
	}
	return fields
}

// A ParamError lists all invalid parameters of an action.
type ParamError struct {
	Action   string
	Problems []Problem // Path begins with the parameter's name; empty: the parameters together
}

func (e *ParamError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return fmt.Sprintf("%s: %s", e.Action, strings.Join(lines, "; "))
}

// Validator is implemented by parameter types that have rules of their own over
// several fields.
type Validator interface{ Validate() error }

// Decode turns evaluated values into the parameters of a. It is strict: names
// that a does not have, missing required ones and values of another type are a
// *ParamError. A value that came back from JSON (a whole number as float64, a
// duration as text) decodes to the same parameters as before.
func Decode(a Action, with map[string]any) (any, error) {
	d := decoder{}
	v := reflect.New(a.Params()).Elem()
	d.fill("", v, with)
	if len(d.problems) == 0 {
		if c, ok := v.Interface().(Validator); ok {
			if err := c.Validate(); err != nil {
				d.add("", err.Error(), "")
			}
		}
	}
	if len(d.problems) > 0 {
		return nil, &ParamError{Action: a.Spec().Name, Problems: d.problems}
	}
	return v.Interface(), nil
}

// decoder collects every problem instead of stopping at the first. Values that are
// known only when the step runs are filled with stand-ins, so that what is wrong
// together is found whatever they become.
type decoder struct{ problems []Problem }

func (d *decoder) add(path strictyaml.Path, text, hint string) {
	d.problems = append(d.problems, Problem{Path: path, Message: text, Hint: hint})
}

// fill decodes with into the struct v.
func (d *decoder) fill(path strictyaml.Path, v reflect.Value, with map[string]any) {
	fields := Fields(v.Type())
	for _, key := range sortedKeys(with) {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == key })
		if i < 0 {
			d.problems = append(d.problems, Problem{
				Path: path.Key(key), Key: true,
				Message: fmt.Sprintf("there is no parameter %q", key), Hint: suggest(key, fieldNames(fields)),
			})
			continue
		}
		d.field(path.Key(key), v, fields[i], with[key])
	}
	for _, f := range fields {
		if with[f.Name] != nil {
			continue
		}
		switch {
		case f.Default != "":
			d.value(path.Key(f.Name), v.FieldByIndex(f.index), parseDefault(f))
		case f.Required:
			d.add(path, fmt.Sprintf("parameter %q is missing", f.Name), f.Doc)
		}
	}
	d.confine(path, v, fields)
}

func (d *decoder) field(path strictyaml.Path, v reflect.Value, f Field, value any) {
	target := v.FieldByIndex(f.index)
	before := len(d.problems)
	d.value(path, target, value)
	if _, late := value.(templated); late || value == nil || len(d.problems) > before {
		return
	}
	if f.Required && target.Kind() == reflect.String && target.Len() == 0 {
		d.add(path, fmt.Sprintf("parameter %q is empty", f.Name), f.Doc)
	}
	if len(f.OneOf) > 0 && target.Len() > 0 && !slices.Contains(f.OneOf, target.String()) {
		d.add(path, fmt.Sprintf("%q is not one of %s", target.String(), strings.Join(f.OneOf, ", ")), suggest(target.String(), f.OneOf))
	}
}

// value decodes one value into v.
func (d *decoder) value(path strictyaml.Path, v reflect.Value, value any) {
	if value == nil {
		return // as if it had not been given
	}
	if _, late := value.(templated); late {
		standIn(v)
		return
	}
	in := reflect.ValueOf(value)
	if v.Kind() == reflect.Interface {
		v.Set(in)
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(path, text, v.Type(), in)
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.string(path, v, in)
	case reflect.Bool:
		if in.Kind() != reflect.Bool {
			d.mismatch(path, v.Type(), in)
			return
		}
		v.SetBool(in.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, ok := whole(in)
		if !ok || v.OverflowInt(n) {
			d.mismatch(path, v.Type(), in)
			return
		}
		v.SetInt(n)
	case reflect.Slice:
		d.list(path, v, in)
	case reflect.Map:
		d.table(path, v, in)
	case reflect.Struct:
		with, ok := value.(map[string]any)
		if !ok {
			d.mismatch(path, v.Type(), in)
			return
		}
		d.fill(path, v, with)
	default:
		panic(fmt.Sprintf("parameter %v has a type that rules cannot write: %v", path, v.Type()))
	}
}

// standIn gives v a value that is not the zero value of its type.
func standIn(v reflect.Value) {
	if v.Type() == reflect.TypeFor[RegistryPath]() {
		v.SetString(`HKLM\Software\x\x`)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		standIn(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Interface:
		v.Set(reflect.ValueOf(templated{}))
	}
}

func (d *decoder) text(path strictyaml.Path, out encoding.TextUnmarshaler, t reflect.Type, in reflect.Value) {
	if span, ok := in.Interface().(time.Duration); ok && t == reflect.TypeFor[Duration]() {
		in = reflect.ValueOf(span.String())
	}
	if in.Kind() != reflect.String {
		d.mismatch(path, t, in)
		return
	}
	if err := noNUL(in.String()); err != nil {
		d.add(path, err.Error(), "")
		return
	}
	if err := out.UnmarshalText([]byte(in.String())); err != nil {
		d.add(path, err.Error(), "")
	}
}

func (d *decoder) string(path strictyaml.Path, v, in reflect.Value) {
	if in.Kind() != reflect.String {
		d.mismatch(path, v.Type(), in)
		return
	}
	if err := noNUL(in.String()); err != nil {
		d.add(path, err.Error(), "")
		return
	}
	v.SetString(in.String())
}

func (d *decoder) list(path strictyaml.Path, v, in reflect.Value) {
	if in.Kind() != reflect.Slice {
		d.mismatch(path, v.Type(), in)
		return
	}
	out := reflect.MakeSlice(v.Type(), in.Len(), in.Len())
	for i := range in.Len() {
		d.value(path.Index(i), out.Index(i), in.Index(i).Interface())
	}
	v.Set(out)
}

func (d *decoder) table(path strictyaml.Path, v, in reflect.Value) {
	if in.Kind() != reflect.Map || in.Type().Key().Kind() != reflect.String {
		d.mismatch(path, v.Type(), in)
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), in.Len())
	for _, key := range in.MapKeys() {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(path.Key(key.String()), item, in.MapIndex(key).Interface())
		out.SetMapIndex(key, item)
	}
	v.Set(out)
}

func (d *decoder) mismatch(path strictyaml.Path, want reflect.Type, in reflect.Value) {
	d.add(path, fmt.Sprintf("want %s, got %s", TypeName(want), describe(in)), "")
}

// noNUL refuses text that an endpoint would cut short: what is acted on would
// not be what was decided on.
func noNUL(s string) error {
	if strings.ContainsRune(s, 0) {
		return fmt.Errorf("%q contains a NUL character", s)
	}
	return nil
}

// whole returns in as an integer if it is one, also where JSON made it a float.
func whole(in reflect.Value) (int64, bool) {
	switch {
	case in.CanInt():
		return in.Int(), true
	case in.CanUint():
		return int64(in.Uint()), in.Uint() <= math.MaxInt64
	case in.CanFloat():
		f := in.Float()
		return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	return 0, false
}

func parseDefault(f Field) any {
	switch f.Type.Kind() {
	case reflect.Bool:
		return f.Default == "true"
	case reflect.Int, reflect.Int32, reflect.Int64:
		if f.Type == reflect.TypeFor[Duration]() {
			return f.Default
		}
		var n int64
		if _, err := fmt.Sscan(f.Default, &n); err != nil {
			panic(fmt.Sprintf("default of %s: %v", f.Name, err))
		}
		return n
	}
	return f.Default
}

// TypeName names the type of a parameter in a rule author's words.
func TypeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration](), reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[RemotePath](), reflect.TypeFor[RemotePattern](), reflect.TypeFor[Program]():
		return "path"
	case reflect.TypeFor[MD5]():
		return "MD5"
	case reflect.TypeFor[time.Time]():
		return "time"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + TypeName(t.Elem())
	case reflect.Map, reflect.Struct:
		return "mapping"
	case reflect.Interface:
		return "any value"
	}
	return t.String()
}

func describe(in reflect.Value) string {
	if in.Kind() == reflect.String {
		return fmt.Sprintf("the text %q", shorten(in.String()))
	}
	if in.Kind() == reflect.Interface || !in.IsValid() {
		return "nothing"
	}
	if in.CanFloat() || in.CanInt() || in.CanUint() || in.Kind() == reflect.Bool {
		return fmt.Sprint(in.Interface())
	}
	return "a " + TypeName(in.Type())
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func fieldNames(fields []Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}
