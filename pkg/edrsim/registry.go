package edrsim

import (
	"maps"
	"slices"
	"strings"
)

// A key is a registry key; like a node it is shared and copied when changed.
type key struct {
	name   string
	keys   map[string]*key
	values map[string]*regValue
}

// A regValue is a registry value. data is a string, a uint64 or a []string, as
// its type has it.
type regValue struct {
	name string
	typ  string
	data any
}

var hives = map[string]string{
	"hklm": "hkey_local_machine", "hku": "hkey_users", "hkcu": "hkey_current_user",
	"hkcr": "hkey_classes_root", "hkcc": "hkey_current_config",
}

// splitKey turns a key path into folded elements and the same as written; short
// hive names become long ones.
func splitKey(p string) (folded, written []string) {
	written = elements(p, `\`)
	for _, w := range written {
		folded = append(folded, strings.ToLower(w))
	}
	if len(folded) > 0 {
		if long, ok := hives[folded[0]]; ok {
			folded[0], written[0] = long, strings.ToUpper(long)
		}
	}
	return folded, written
}

// splitValue parts a value's path into its key and its name, "" being the key's
// default value.
func splitValue(p string) (keyPath, name string) {
	i := strings.LastIndexByte(p, '\\')
	if i < 0 {
		return p, ""
	}
	return p[:i], p[i+1:]
}

func (k *key) lookup(path []string) *key {
	for _, name := range path {
		if k == nil {
			return nil
		}
		k = k.keys[name]
	}
	return k
}

// changed returns k with the key at path replaced by what change makes of it; nil
// from change removes it.
func (k *key) changed(path []string, change func(*key) *key) *key {
	if len(path) == 0 {
		return change(k)
	}
	c := *k
	c.keys = cloned(k.keys)
	if sub := k.keys[path[0]].changed(path[1:], change); sub != nil {
		c.keys[path[0]] = sub
	} else {
		delete(c.keys, path[0])
	}
	return &c
}

func cloned[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// createKey makes a key and those above it; an existing one is no failure, as
// with RegCreateKeyEx.
func (e *endpoint) createKey(p string) failure {
	folded, written := splitKey(p)
	if len(folded) < 2 || e.registry.lookup(folded[:1]) == nil {
		return errInvalid
	}
	for i := range folded {
		if e.registry.lookup(folded[:i+1]) == nil {
			e.registry = e.registry.changed(folded[:i+1], func(*key) *key { return &key{name: written[i]} })
		}
	}
	return success
}

func (e *endpoint) deleteKey(p string) failure {
	folded, _ := splitKey(p)
	k := e.registry.lookup(folded)
	switch {
	case k == nil:
		return errNotFound
	case len(folded) < 2:
		return errAccessDenied
	case len(k.keys) > 0:
		return errHasChildren
	}
	e.registry = e.registry.changed(folded, func(*key) *key { return nil })
	return success
}

// value finds a value by key path and name.
func (e *endpoint) value(p string) (*regValue, failure) {
	keyPath, name := splitValue(p)
	folded, _ := splitKey(keyPath)
	k := e.registry.lookup(folded)
	if k == nil {
		return nil, errNotFound
	}
	v := k.values[strings.ToLower(name)]
	if v == nil {
		return nil, errNotFound
	}
	return v, success
}

// setValue writes a value into a key that exists.
func (e *endpoint) setValue(p string, v regValue) failure {
	keyPath, name := splitValue(p)
	folded, _ := splitKey(keyPath)
	if e.registry.lookup(folded) == nil {
		return errNotFound
	}
	v.name = name
	e.registry = e.registry.changed(folded, func(k *key) *key {
		c := *k
		c.values = cloned(k.values)
		c.values[strings.ToLower(name)] = &v
		return &c
	})
	return success
}

func (e *endpoint) deleteValue(p string) failure {
	if _, f := e.value(p); f != success {
		return f
	}
	keyPath, name := splitValue(p)
	folded, _ := splitKey(keyPath)
	e.registry = e.registry.changed(folded, func(k *key) *key {
		c := *k
		c.values = maps.Clone(k.values)
		delete(c.values, strings.ToLower(name))
		return &c
	})
	return success
}

// subKeys lists the names below k, sorted.
func (k *key) subKeys() []string {
	names := make([]string, 0, len(k.keys))
	for _, folded := range slices.Sorted(maps.Keys(k.keys)) {
		names = append(names, k.keys[folded].name)
	}
	return names
}

// wire is a value as commands report it.
func (v *regValue) wire() map[string]any {
	return map[string]any{"value_name": v.name, "value_type": v.typ, "value_data": v.data}
}

// wireValues lists k's values by name.
func (k *key) wireValues() []map[string]any {
	list := make([]map[string]any, 0, len(k.values))
	for _, folded := range slices.Sorted(maps.Keys(k.values)) {
		list = append(list, k.values[folded].wire())
	}
	return list
}
