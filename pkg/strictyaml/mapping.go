package strictyaml

import (
	"fmt"
	"reflect"

	"gopkg.in/yaml.v3"
)

// pairs yields the keys and values of a mapping, then those that it merges in
// and does not have itself. Keys that are not text or come twice are reported.
func (d *Decoder) pairs(n *yaml.Node, path Path) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		first := make(map[string]*yaml.Node, len(n.Content)/2)
		var merges []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolve(n.Content[i]), n.Content[i+1]
			if isMerge(key) {
				merges = append(merges, mergeSources(value)...)
				continue
			}
			if !d.usableKey(key, path, first) {
				continue
			}
			first[key.Value] = key
			if !yield(key, value) {
				return
			}
		}
		d.merge(merges, path, first, yield)
	}
}

func (d *Decoder) usableKey(key *yaml.Node, path Path, first map[string]*yaml.Node) bool {
	if key.Kind != yaml.ScalarNode || isNull(key) {
		d.Report(key, path, "a key must be text, is "+kindOf(key), "")
		return false
	}
	if earlier, twice := first[key.Value]; twice {
		d.Report(key, path.Key(key.Value), fmt.Sprintf("%q is given twice", key.Value), fmt.Sprintf("the first is on line %d", earlier.Line))
		return false
	}
	return true
}

// merge yields what << takes in; a mapping that stands earlier wins.
func (d *Decoder) merge(sources []*yaml.Node, path Path, have map[string]*yaml.Node, yield func(key, value *yaml.Node) bool) {
	for _, source := range sources {
		if source.Kind != yaml.MappingNode {
			d.Report(source, path, "<< takes a mapping or a list of mappings, not "+kindOf(source), "")
			continue
		}
		if !d.enter(source, path) {
			return
		}
		for key, value := range d.pairs(source, path) {
			if have[key.Value] != nil {
				continue
			}
			have[key.Value] = key
			if !yield(key, value) {
				d.leave()
				return
			}
		}
		d.leave()
	}
}

func (d *Decoder) mapping(n *yaml.Node, path Path, v reflect.Value, tag reflect.StructTag) {
	if n.Kind != yaml.MappingNode {
		d.Report(n, path, what(path)+" must be a mapping (key: value), is "+kindOf(n), "")
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for key, value := range d.pairs(n, path) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(value, path.Key(key.Value), item, tag)
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
	}
}
