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
	// Has reports whether the list has the value, in whatever spelling.
	Has(list, value string) bool
	// Names lists the lists.
	Names() []string
}

// KindedLists are Lists that know what each list holds.
type KindedLists interface {
	// Kind is hash, ip, domain, path or text; "" for an unknown list.
	Kind(list string) string
	// Odd finds an entry of a list of text that one of the kind would find and it does
	// not, or reports that it has none of the kind.
	Odd(list, kind string) (entry string, none bool)
}

// Scope is what an expression may use: names with types, functions and lists.
// It is immutable and safe for concurrent use.
type Scope struct {
	outer *Scope // that this one adds a name to; nil: it has the event's names
	own   Field  // the name added
	lists Lists
	memo  *Memo // nil: nothing is remembered

	carrier Carrier // of the events that expressions run on; nil: of all kinds
	lenient bool    // see Lenient

	language *language // of all scopes that grew from the same one by With
}

// language is the compiler's settings, which cache types. They are for one
// compilation at a time.
type language struct {
	mu    sync.Mutex
	event *conf.Config // of programs that run on *events.Event; nil: not made yet
	env   *conf.Config // of programs that run on a map; without its names, see declare
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
func EventScope() *Scope { return &Scope{language: &language{}} }

// With is the scope with one more name, or another type for a name. Programs of
// such a scope run on a map; see Env.
func (s *Scope) With(name, doc string, t *Type) *Scope {
	n := *s
	n.outer, n.own = s, Field{Name: name, Doc: doc, Type: t}
	return &n
}

// WithLists is the scope with lists for in_list.
func (s *Scope) WithLists(l Lists) *Scope {
	n := *s
	n.lists, n.language = l, &language{}
	return &n
}

// Remembering is the scope with a memory, which it shares with those that grow
// from it.
func (s *Scope) Remembering(m *Memo) *Scope {
	n := *s
	n.memo = m
	return &n
}

// Lenient is the scope without the checks that an expression can be both true and
// false: for tests of what expressions give.
func (s *Scope) Lenient() *Scope {
	n := *s
	n.lenient = true
	return &n
}

// onEvent tells that programs of the scope run on *events.Event itself.
func (s *Scope) onEvent() bool { return s.outer == nil }

// Names lists what expressions may name, in the order declared.
func (s *Scope) Names() []Field {
	var added []Field // innermost first
	for ; s.outer != nil; s = s.outer {
		if !slices.ContainsFunc(added, func(f Field) bool { return f.Name == s.own.Name }) {
			added = append(added, s.own)
		}
	}
	slices.Reverse(added)
	event := slices.DeleteFunc(slices.Clone(EventType.Fields), func(e Field) bool {
		return slices.ContainsFunc(added, func(f Field) bool { return f.Name == e.Name })
	})
	return append(event, added...)
}

// named is the type of a name; nil when the scope does not have it.
func (s *Scope) named(name string) *Type {
	for ; s.outer != nil; s = s.outer {
		if s.own.Name == name {
			return s.own.Type
		}
	}
	f, _ := EventType.Field(name)
	return f.Type
}

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

// settings returns the compiler's settings, to be used while s.language.mu is
// held.
func (s *Scope) settings() *conf.Config {
	l := s.language
	if s.onEvent() {
		if l.event == nil {
			l.event = s.newSettings(events.Event{})
		}
		return l.event
	}
	if l.env == nil {
		l.env = s.newSettings(types.Map{})
		cache := &l.env.NtCache // its maps must exist for the copies to share them
		cache.FromType(EventType.native)
		l.env.Env.NumMethods(cache)
	}
	own := *l.env
	own.Env = types.Map{}.Nature() // see declare
	return &own
}

func (s *Scope) newSettings(env any) *conf.Config {
	shared := grammar()
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
	c.WithEnv(env)
	return c
}

// grammar is what the settings of all scopes have in common. Nothing changes
// it once it is made.
var grammar = sync.OnceValue(func() *conf.Config {
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
	if s.onEvent() {
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
		switch t := s.named(id.Value); {
		case t == nil:
		case isEventPart(t):
			c.Env.Fields[id.Value] = c.NtCache.FromType(t.native)
		default:
			c.Env.Fields[id.Value] = t.declared().Nature()
		}
	})
}

func isEventPart(t *Type) bool {
	return t.native != nil && t.native.Kind() == reflect.Struct && t.native.PkgPath() == eventPackage
}

var eventPackage = reflect.TypeFor[events.Event]().PkgPath()
