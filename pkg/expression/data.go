package expression

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Data is a tree of plain values (as YAML and JSON give them) with templates in
// its texts: the with of a step, the body of a message.
type Data struct {
	text *Template
	keys []string
	kids []*Data // of a mapping, by keys; of a list
	list bool
	leaf any // number, boolean, nothing
	typ  *Type
}

// DataError is a mistake in a template within Data.
type DataError struct {
	Path []string // keys and indices from the top
	*Error
}

// Data compiles every text in v. All mistakes are returned.
func (s *Scope) Data(v any) (*Data, []DataError) {
	switch v := v.(type) {
	case string:
		t, err := s.Template(v)
		var found Errors
		if errors.As(err, &found) {
			problems := make([]DataError, len(found))
			for i, e := range found {
				problems[i] = DataError{Error: e}
			}
			return &Data{typ: AnyType}, problems
		}
		return &Data{text: t, typ: t.Type()}, nil
	case map[string]any:
		return s.mapping(v)
	case []any:
		return s.list(v)
	}
	return &Data{leaf: v, typ: constantType(v)}, nil
}

func constantType(v any) *Type {
	switch v.(type) {
	case nil:
		return &Type{Kind: Nothing}
	case bool:
		return BoolType
	case int, int64:
		return IntType
	case float64:
		return FloatType
	}
	return AnyType
}

func (s *Scope) mapping(m map[string]any) (*Data, []DataError) {
	d := &Data{keys: slices.Sorted(maps.Keys(m)), typ: &Type{Kind: Object}}
	var problems []DataError
	for _, key := range d.keys {
		kid, found := s.Data(m[key])
		problems = append(problems, under(key, found)...)
		d.kids = append(d.kids, kid)
		d.typ.Fields = append(d.typ.Fields, Field{Name: key, Type: kid.typ})
	}
	return d, problems
}

func (s *Scope) list(items []any) (*Data, []DataError) {
	d := &Data{list: true, typ: ListOf(AnyType)}
	var problems []DataError
	for i, item := range items {
		kid, found := s.Data(item)
		problems = append(problems, under(strconv.Itoa(i), found)...)
		d.kids = append(d.kids, kid)
	}
	if len(d.kids) > 0 && !slices.ContainsFunc(d.kids, func(k *Data) bool { return k.typ.Kind != d.kids[0].typ.Kind }) {
		d.typ.Elem = d.kids[0].typ
		d.typ = ListOf(d.kids[0].typ)
	}
	return d, problems
}

func under(key string, found []DataError) []DataError {
	for i := range found {
		found[i].Path = append([]string{key}, found[i].Path...)
	}
	return found
}

// Type is the type of the value.
func (d *Data) Type() *Type { return d.typ }

// Kid returns the value under a key of a mapping, or nil.
func (d *Data) Kid(key string) *Data {
	if i := slices.Index(d.keys, key); i >= 0 {
		return d.kids[i]
	}
	return nil
}

// Items lists the values of a list.
func (d *Data) Items() []*Data {
	if !d.list {
		return nil
	}
	return d.kids
}

// Constant reports whether the value is a text, number or the like without any
// expression, and gives it.
func (d *Data) Constant() (any, bool) {
	switch {
	case d.text != nil:
		text, ok := d.text.Constant()
		return text, ok
	case d.keys == nil && !d.list && d.typ.Kind != Object:
		return d.leaf, true
	}
	return nil, false
}

// Programs lists every expression in the tree.
func (d *Data) Programs() []*Program {
	if d.text != nil {
		return d.text.Programs()
	}
	var all []*Program
	for _, kid := range d.kids {
		all = append(all, kid.Programs()...)
	}
	return all
}

// Eval gives the tree with every template replaced by its value. The error
// names the place.
func (d *Data) Eval(env any) (any, error) {
	switch {
	case d.text != nil:
		v, err := d.text.Eval(env)
		if err == nil && !fits(v, MaxText) {
			return nil, &EvalError{Source: d.text.Source, Offset: -1, Message: errTooLong.Error(), Cause: errTooLong}
		}
		return v, err
	case d.list:
		items := make([]any, len(d.kids))
		for i, kid := range d.kids {
			v, err := kid.Eval(env)
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", i+1, err)
			}
			items[i] = v
		}
		return items, nil
	case d.typ.Kind == Object:
		m := make(map[string]any, len(d.keys))
		for i, key := range d.keys {
			v, err := d.kids[i].Eval(env)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			m[key] = v
		}
		return m, nil
	}
	return d.leaf, nil
}
