package actions

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// MaxItems is the most items a foreach may run over.
const MaxItems = 1000

// A Binder gives the steps of one chain their values. It compiles what it meets
// and remembers it; it is safe for concurrent use. Event text is only ever a
// value: what an expression evaluates to is never evaluated again.
type Binder struct {
	scope *expression.Scope
	own   []expression.Field // names of the scope that are not the event's

	mu       sync.Mutex // guards the maps, which only grow with the chain's own texts
	programs map[string]*expression.Program
	data     map[string]*expression.Data
}

// NewBinder returns the binder of a chain, at the site that it was compiled for.
// The items of a foreach, and what the site leaves open, are typed when they are
// seen.
func NewBinder(steps []Step, site Site) *Binder {
	all := flatten(steps)
	if site.Failure {
		all = append(flatten(site.Before), all...)
	}
	results := make([]expression.Field, len(all))
	for i, s := range all {
		results[i] = expression.Field{Name: s.ID, Type: stepType(s)}
	}
	scope := site.base().With("steps", "", expression.ObjectOf(results...)).With("item", "", expression.AnyType)
	event := expression.EventScope().Names()
	own := slices.DeleteFunc(scope.Names(), func(f expression.Field) bool {
		return slices.ContainsFunc(event, func(e expression.Field) bool { return e.Name == f.Name })
	})
	return &Binder{scope: scope, own: own, programs: map[string]*expression.Program{}, data: map[string]*expression.Data{}}
}

// Holds evaluates a condition. An empty one holds; always() is left out, see
// Condition.
func (b *Binder) Holds(s Scope, condition string) (bool, error) {
	truth, _, err := b.Truth(s, condition)
	return truth == expression.True, err
}

// Truth evaluates a condition of which some facts of the event's endpoint may be
// unknown; missing are those that an unknown result hangs on. See
// expression.Program.Truth for what to make of it.
func (b *Binder) Truth(s Scope, condition string) (truth expression.Truth, missing events.Facts, err error) {
	rest, _ := Condition(condition)
	if rest == "" {
		return expression.True, 0, nil
	}
	p, err := b.program("condition", rest, b.scope.Condition)
	if err != nil {
		return expression.False, 0, err
	}
	env, err := b.env(s)
	if err != nil {
		return expression.False, 0, err
	}
	unknown := events.AllFacts | events.FactImage
	if s.Event != nil {
		unknown = s.Event.Unknown()
	}
	return p.Truth(env, unknown)
}

// Items evaluates a foreach.
func (b *Binder) Items(s Scope, foreach string) ([]any, error) {
	value, err := b.value(s, foreach)
	if err != nil {
		return nil, err
	}
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice {
		return nil, fmt.Errorf("foreach %s: want a list, got %v", shorten(foreach), value)
	}
	if list.Len() > MaxItems {
		return nil, fmt.Errorf("foreach %s: %d items, the limit is %d", shorten(foreach), list.Len(), MaxItems)
	}
	items := make([]any, list.Len())
	for i := range items {
		if items[i], err = plain(list.Index(i).Interface()); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// Sensor evaluates the sensor of a step to the id of a sensor.
func (b *Binder) Sensor(s Scope, source string) (string, error) {
	value, err := b.value(s, source)
	if err != nil {
		return "", err
	}
	if v := reflect.ValueOf(value); v.IsValid() {
		if id, ok := whole(v); ok && id > 0 {
			return strconv.FormatInt(id, 10), nil
		}
	}
	if id, ok := value.(string); ok && id != "" {
		return id, nil
	}
	return "", fmt.Errorf("sensor %s: %v is not the id of a sensor", shorten(source), value)
}

// Args evaluates the parameters of a step to plain data, which can be recorded
// and decoded: see Decode.
func (b *Binder) Args(s Scope, with map[string]any) (map[string]any, error) {
	data, err := b.compiled(with)
	if err != nil {
		return nil, err
	}
	env, err := b.env(s)
	if err != nil {
		return nil, err
	}
	value, err := data.Eval(env)
	if err != nil {
		return nil, fmt.Errorf("parameter %w", err)
	}
	args, err := plain(value)
	if err != nil {
		return nil, err
	}
	return args.(map[string]any), nil
}

// compiled returns the compiled form of a step's parameters, cached for foreach.
func (b *Binder) compiled(with map[string]any) (*expression.Data, error) {
	if with == nil {
		with = map[string]any{}
	}
	key, err := json.Marshal(with)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if d, ok := b.data[string(key)]; ok {
		return d, nil
	}
	d, mistakes := b.scope.Data(with)
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("parameter %s: %w", strings.Join(mistakes[0].Path, "."), mistakes[0].Error)
	}
	b.data[string(key)] = d
	return d, nil
}

func (b *Binder) value(s Scope, source string) (any, error) {
	p, err := b.program("value", source, b.scope.Value)
	if err != nil {
		return nil, err
	}
	env, err := b.env(s)
	if err != nil {
		return nil, err
	}
	return p.Eval(env)
}

// program compiles a source once for each kind of use.
func (b *Binder) program(kind, source string, compile func(string) (*expression.Program, error)) (*expression.Program, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := kind + ":" + source
	if p, ok := b.programs[key]; ok {
		return p, nil
	}
	p, err := compile(source)
	if err == nil {
		b.programs[key] = p
	}
	return p, err
}

// env is the environment of the chain's expressions, in which every declared
// name has a value of its type.
func (b *Binder) env(s Scope) (map[string]any, error) {
	steps := make(map[string]any, len(s.Steps))
	for id, r := range s.Steps {
		value, err := r.plain()
		if err != nil {
			return nil, err
		}
		steps[id] = value
	}
	more := map[string]any{"steps": steps, "vars": s.Vars, "job": s.Job, "rule": s.Rule, "item": s.Item, "correlated": s.Correlated}
	if s.Failed != nil {
		value, err := s.Failed.plain()
		if err != nil {
			return nil, err
		}
		more["failed"] = value
	}
	env := make(map[string]any, len(more))
	for _, f := range b.own {
		value, err := plain(more[f.Name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		env[f.Name] = f.Type.Conform(value)
	}
	return expression.Env(s.Event, env), nil
}

// plain turns a value into data that JSON gives back as it was: text, whole
// numbers, numbers, true and false, lists and mappings.
func plain(value any) (any, error) {
	switch v := value.(type) {
	case nil, string, bool, int, float64, json.Number:
		return v, nil
	case time.Duration:
		return v.String(), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			kept, err := plain(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out[key] = kept
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			kept, err := plain(item)
			if err != nil {
				return nil, err
			}
			out[i] = kept
		}
		return out, nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("value cannot be recorded: %w", err)
	}
	return events.DecodeJSON(text)
}
