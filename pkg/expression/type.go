package expression

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/types"
)

// Kind is what a value is, in the words of rule authors.
type Kind string

// Kinds of values.
const (
	Any      Kind = "anything"
	Nothing  Kind = "nothing"
	Text     Kind = "text"
	Int      Kind = "a whole number"
	Float    Kind = "a number"
	Bool     Kind = "true or false"
	Time     Kind = "a time"
	Duration Kind = "a duration"
	List     Kind = "a list"
	Map      Kind = "a mapping" // with any keys
	Object   Kind = "an object" // with known fields
)

// Type is the type of a value.
type Type struct {
	Kind   Kind
	Elem   *Type    // of a List or Map
	Fields []Field  // of an Object, in the order declared
	Form   string   // of Text: how it looks, see formsByName; of Int: port, pid
	Words  []string // of Text: all that it can be, besides empty; # stands for any number

	native reflect.Type // the Go type that values have, when made from one
	form   reflect.Type // of Text with a form: the type whose UnmarshalText checks it
}

// Field is a named part of an Object.
type Field struct {
	Name     string
	Doc      string // from the doc tag
	Type     *Type
	Required bool // of parameters: `required:"true"`
}

// The types without parts.
var (
	AnyType      = &Type{Kind: Any}
	TextType     = &Type{Kind: Text}
	IntType      = &Type{Kind: Int}
	FloatType    = &Type{Kind: Float}
	BoolType     = &Type{Kind: Bool}
	TimeType     = &Type{Kind: Time}
	DurationType = &Type{Kind: Duration}
)

// ListOf is the type of lists of elem.
func ListOf(elem *Type) *Type { return &Type{Kind: List, Elem: elem} }

// ObjectOf is the type of objects with these fields.
func ObjectOf(fields ...Field) *Type { return &Type{Kind: Object, Fields: fields} }

var (
	goTime     = reflect.TypeFor[time.Time]()
	goDuration = reflect.TypeFor[time.Duration]()
	goText     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// Of is the type of values of a Go type as rules see them: struct fields by
// their expr tag or else their json tag, types with UnmarshalText as text.
func Of(t reflect.Type) *Type {
	if t == nil {
		return AnyType
	}
	if known, ok := described.Load(t); ok {
		return known.(*Type)
	}
	known, _ := described.LoadOrStore(t, of(t, 0))
	return known.(*Type)
}

// described remembers what Of said: the same for good.
var described sync.Map // reflect.Type → *Type

// deepest bounds recursive Go types.
const deepest = 12

func of(t reflect.Type, depth int) *Type {
	switch {
	case depth > deepest:
		return AnyType
	case t == goTime:
		return TimeType
	case t == goDuration:
		return DurationType
	case reflect.PointerTo(t).Implements(goText):
		return &Type{Kind: Text, form: t}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return of(t.Elem(), depth)
	case reflect.String:
		return TextType
	case reflect.Bool:
		return BoolType
	case reflect.Float32, reflect.Float64:
		return FloatType
	case reflect.Slice, reflect.Array:
		return &Type{Kind: List, Elem: of(t.Elem(), depth+1), native: t}
	case reflect.Map:
		return &Type{Kind: Map, Elem: of(t.Elem(), depth+1), native: t}
	case reflect.Struct:
		return &Type{Kind: Object, Fields: fieldsOf(t, depth+1), native: t}
	}
	if t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 {
		return IntType
	}
	return AnyType
}

func fieldsOf(t reflect.Type, depth int) []Field {
	var fields []Field
	for i := range t.NumField() {
		sf := t.Field(i)
		name := tagName(sf)
		switch {
		case sf.Anonymous && name == "":
			fields = append(fields, fieldsOf(sf.Type, depth)...)
		case !sf.IsExported() || name == "-":
		default:
			if name == "" {
				name = sf.Name
			}
			fields = append(fields, Field{
				Name: name, Doc: sf.Tag.Get("doc"), Type: formed(of(sf.Type, depth), sf.Tag),
				Required: sf.Tag.Get("required") == "true",
			})
		}
	}
	return fields
}

// formed is a type with the form and the words that a field's tag gives it.
func formed(t *Type, tag reflect.StructTag) *Type {
	form, words := tag.Get("form"), tag.Get("words")
	if form == "" && words == "" {
		return t
	}
	n := *t
	n.Form = form
	if words != "" {
		n.Words = strings.Split(words, ",")
	}
	return &n
}

// OneOf is the type of texts that are one of some words, or empty.
func OneOf(words ...string) *Type { return &Type{Kind: Text, Words: words} }

func tagName(sf reflect.StructField) string {
	if name := sf.Tag.Get("expr"); name != "" {
		return name
	}
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	return name
}

// Field returns the named field of an object.
func (t *Type) Field(name string) (Field, bool) {
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return t.Fields[i], true
}

// Names lists the fields of an object.
func (t *Type) Names() []string {
	names := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		names[i] = f.Name
	}
	return names
}

// String is the type in the words of rule authors.
func (t *Type) String() string {
	switch {
	case t == nil:
		return string(Any)
	case t.Kind == List && t.Elem != nil && t.Elem.Kind != Any:
		return "a list of " + plural(t.Elem)
	}
	return string(t.Kind)
}

func plural(t *Type) string {
	switch t.Kind {
	case Int:
		return "whole numbers"
	case Float:
		return "numbers"
	case Bool:
		return "true or false"
	case Text:
		return "text"
	case Object:
		return "objects"
	case Map:
		return "mappings"
	case Time:
		return "times"
	case Duration:
		return "durations"
	case List:
		return "lists"
	}
	return string(t.Kind)
}

// CheckText reports whether a text has the form that the type wants of it, such
// as an MD5 or a path. Types without a form take any text.
func (t *Type) CheckText(text string) error {
	if t == nil || t.form == nil {
		return nil
	}
	return reflect.New(t.form).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
}

// Takes reports whether a value of type from can be given where t is wanted. What
// is only known when the step runs is let through: it is checked then.
func (t *Type) Takes(from *Type) bool {
	switch {
	case t == nil || from == nil || t.Kind == Any || from.Kind == Any || from.Kind == Nothing:
		return true
	case t.Kind == Float:
		return from.Kind == Float || from.Kind == Int
	case t.Kind == Duration, t.Kind == Time:
		return from.Kind == t.Kind || from.Kind == Text
	case t.Kind == Text && t.form != nil:
		return from.Kind == Text || from.Kind == Duration || from.Kind == Time
	case t.Kind == List:
		return from.Kind == List && t.Elem.Takes(from.Elem)
	case t.Kind == Map:
		return from.Kind == Map || from.Kind == Object
	case t.Kind == Object:
		return from.Kind == Map || from.Kind == Object && t.takesFields(from)
	}
	return t.Kind == from.Kind
}

func (t *Type) takesFields(from *Type) bool {
	for _, f := range from.Fields {
		own, ok := t.Field(f.Name)
		if !ok || !own.Type.Takes(f.Type) {
			return false
		}
	}
	return true
}

// declared is the type as expr-lang takes it.
func (t *Type) declared() types.Type {
	switch t.Kind {
	case Text:
		return types.String
	case Int:
		return types.Int
	case Float:
		return types.Float64
	case Bool:
		return types.Bool
	case Time:
		return types.TypeOf(time.Time{})
	case Duration:
		return types.TypeOf(time.Duration(0))
	case Nothing:
		return types.Nil
	case List:
		return types.Array(t.Elem.declared())
	case Map:
		return types.TypeOf(map[string]any{})
	case Object:
		fields := make(types.Map, len(t.Fields))
		for _, f := range t.Fields {
			fields[f.Name] = f.Type.declared()
		}
		return fields
	}
	return types.Any
}

// fromNature is the type that expr-lang's checker found.
func fromNature(n *nature.Nature) *Type {
	switch {
	case n == nil:
		return AnyType
	case n.Nil:
		return &Type{Kind: Nothing}
	case n.Type == nil:
		return AnyType
	case n.Type == goTime, n.Type == goDuration:
		return Of(n.Type)
	}
	switch n.Kind {
	case reflect.Slice, reflect.Array:
		if n.Ref != nil {
			return ListOf(fromNature(n.Ref))
		}
	case reflect.Map:
		if n.TypeData != nil && n.Fields != nil && n.Strict {
			return objectOf(n.Fields)
		}
	case reflect.Func:
		return AnyType
	}
	return Of(n.Type)
}

func objectOf(natures map[string]nature.Nature) *Type {
	t := &Type{Kind: Object}
	for name, n := range natures {
		t.Fields = append(t.Fields, Field{Name: name, Type: fromNature(&n)})
	}
	slices.SortFunc(t.Fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return t
}
