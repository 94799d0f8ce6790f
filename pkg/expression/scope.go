package expression

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"

	"edrpipe/pkg/events"
)

// Lists is the named lists of values that in_list looks into.
type Lists interface {
	// Has tells whether the list has the value; case does not count.
	Has(list, value string) bool
	// Names lists the lists.
	Names() []string
}

// Scope is what an expression may use: names with types, functions and lists.
// It is immutable and safe for concurrent use.
type Scope struct {
	names []Field
	event bool // the environment is *events.Event itself, not a map
	lists Lists

	mu     sync.Mutex // guards config, which caches types
	config *conf.Config
}

// EventType is the type of the event: its fields are the top-level names.
var EventType = Of(reflect.TypeFor[events.Event]())

// eventParts names the parts of the event by their place in the struct.
var eventParts = func() map[int]string {
	parts := map[int]string{}
	t := reflect.TypeFor[events.Event]()
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			parts[i] = tagName(f)
		}
	}
	return parts
}()

// EventScope is the scope of conditions. They run on *events.Event.
func EventScope() *Scope {
	return &Scope{names: EventType.Fields, event: true}
}

// With is the scope with one more name, or another type for a name. Programs of
// such a scope run on a map; see Env.
func (s *Scope) With(name, doc string, t *Type) *Scope {
	names := slices.DeleteFunc(slices.Clone(s.names), func(f Field) bool { return f.Name == name })
	return &Scope{names: append(names, Field{Name: name, Doc: doc, Type: t}), lists: s.lists}
}

// WithLists is the scope with lists for in_list.
func (s *Scope) WithLists(l Lists) *Scope {
	return &Scope{names: s.names, event: s.event, lists: l}
}

// Names lists what expressions may name, in the order declared.
func (s *Scope) Names() []Field { return slices.Clone(s.names) }

// Lists is what in_list looks into; nil when there are none.
func (s *Scope) Lists() Lists { return s.lists }

// Env is the environment on which programs of a scope made with With run: the
// event's parts and the further names, which must have the types declared (see
// Type.Conform).
func Env(e *events.Event, more map[string]any) map[string]any {
	if e == nil {
		e = &events.Event{}
	}
	env := make(map[string]any, len(EventType.Fields)+len(more))
	v := reflect.ValueOf(e).Elem()
	for i, name := range eventParts {
		env[name] = v.Field(i).Interface()
	}
	if m := e.Event; m.Age == 0 && !m.Time.IsZero() && !m.Received.IsZero() { // it is not part of a stored event
		m.Age = m.Received.Sub(m.Time)
		env["event"] = m
	}
	maps.Copy(env, more)
	return env
}

// settings returns the compiler's settings; the caller holds s.mu.
func (s *Scope) settings() *conf.Config {
	if s.config != nil {
		return s.config
	}
	shared := language()
	c := &conf.Config{
		Optimize: true, ShortCircuit: true, MaxNodes: MaxNodes,
		Functions: shared.Functions, Builtins: shared.Builtins, Disabled: shared.Disabled,
	}
	if s.lists != nil {
		c.Functions = maps.Clone(shared.Functions)
		for _, f := range added {
			if f.bind != nil {
				c.Functions[f.Name] = f.compiled(s)
			}
		}
	}
	if s.event {
		c.WithEnv(events.Event{})
	} else {
		c.WithEnv(types.Map{}) // see declare
	}
	s.config = c
	return c
}

// language is what the settings of all scopes have in common. Nothing changes
// it once it is made.
var language = sync.OnceValue(func() *conf.Config {
	c := conf.CreateNew()
	for name := range c.Builtins {
		if _, ok := builtins[name]; !ok {
			delete(c.Builtins, name)
			c.Disabled[name] = true
		}
	}
	for _, f := range Functions() {
		delete(c.Builtins, f.Name)
		c.Disabled[f.Name] = true
		c.Functions[f.Name] = f.compiled(&Scope{})
	}
	return c
})

// declare adds to the environment those names of the scope that a tree uses: most
// expressions use one or two of many. The parts of the event keep their Go types,
// so that they need not be copied into maps.
func (s *Scope) declare(tree *parser.Tree, c *conf.Config) {
	if s.event {
		return
	}
	each(tree.Node, func(n ast.Node) {
		id, ok := n.(*ast.IdentifierNode)
		if !ok {
			return
		}
		if _, known := c.Env.Fields[id.Value]; known {
			return
		}
		for _, f := range s.names {
			if f.Name != id.Value {
				continue
			}
			if isEventPart(f.Type) {
				c.Env.Fields[f.Name] = c.NtCache.FromType(f.Type.native)
			} else {
				c.Env.Fields[f.Name] = f.Type.declared().Nature()
			}
		}
	})
}

func isEventPart(t *Type) bool {
	return t.native != nil && t.native.Kind() == reflect.Struct && t.native.PkgPath() == eventPackage
}

var eventPackage = reflect.TypeFor[events.Event]().PkgPath()
