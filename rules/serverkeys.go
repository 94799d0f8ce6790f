package rules

import (
	"slices"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// serverFields are fields whose values mean something on one server only, by their
// beginning. What an expression reads of vars is not known, and counts as such.
var serverFields = []string{
	"sensor", "vars", "process.guid", "process.pid", "process.parent.guid", "process.parent.pid", "child.guid", "child.pid",
	"target.guid", "target.pid", "watchlist.id", "feed.id", "alert.id", "alert.key",
}

// ofServer reports whether an expression reads a field of serverFields.
func ofServer(p *expression.Program) bool {
	if p.Reads("vars") {
		return true
	}
	return slices.ContainsFunc(p.Fields(), func(f expression.FieldRead) bool {
		return slices.ContainsFunc(serverFields, func(of string) bool {
			return f.Path == of || strings.HasPrefix(f.Path, of+".") || strings.HasPrefix(of, f.Path+".")
		})
	})
}

// place is what a key of state has besides the values of its expressions where several
// servers are configured: the server, where one of the expressions is of a server, else
// the tenant. With one server there is nothing, and keys from before stay.
func place(several, acrossTenants bool, e *events.Event, keys []*expression.Program) []any {
	switch {
	case !several:
		return nil
	case slices.ContainsFunc(keys, ofServer):
		return []any{"server", e.Sensor.Server}
	case acrossTenants || e.Sensor.Tenant == "":
		return nil
	}
	return []any{"tenant", e.Sensor.Tenant}
}
