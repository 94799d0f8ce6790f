package events

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// TypeInfo is a canonical event type and its kind.
type TypeInfo struct {
	Name string
	Kind Kind
}

// Types lists the canonical event types of the decoders, by name. Other types get kind
// Other.
func Types() []TypeInfo {
	all := make([]TypeInfo, 0, len(types))
	for name, t := range types {
		all = append(all, TypeInfo{name, t.shape.kind})
	}
	slices.SortFunc(all, func(a, b TypeInfo) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// IsType reports whether name is a type of Types, also with the ids of feeds and
// watchlists in it or by an older name.
func IsType(name string) bool { return types[canonicalType(name)].shape != nil }

// IsCloud reports whether a canonical type is one of Carbon Black Cloud's.
func IsCloud(name string) bool {
	_, cloud := cloudTypes()[name]
	return cloud || strings.HasPrefix(name, "endpoint.event.") || strings.HasPrefix(name, cloudAlertPrefix)
}

var cloudTypes = sync.OnceValue(cloudShapes)

// The products whose messages are decoded, named as the kinds of their servers.
const (
	ProductEDR   = "carbonblack-edr"
	ProductCloud = "carbonblack-cloud"
)

// ProductOf is the product that sends events of a canonical type, or "" where the type
// does not tell.
func ProductOf(name string) string {
	switch {
	case IsCloud(name):
		return ProductCloud
	case types[name].shape != nil, strings.HasPrefix(name, "ingress.event."), strings.HasPrefix(name, "alert."):
		return ProductEDR
	}
	return ""
}
