package propose

import (
	"slices"

	"edrpipe/pkg/events"
)

// Exceptions are conditions that are true of the event and of its like: the parts of the
// condition that From would write, and its endpoint and user.
func Exceptions(e *events.Event) []string {
	p := &parts{steady: steadyOf(e)}
	p.text("process.user", e.Process.User)
	p.path("process.path", e.Process.Path)
	p.path("process.parent.path", e.Process.Parent.Path)
	p.text("sensor.group", e.Sensor.Group)
	p.text("sensor.hostname", e.Sensor.Hostname)
	what := slices.DeleteFunc(condition(e), func(part string) bool { return part == "!process.already_running" }) // of nearly all starts
	return append(what, p.all...)
}
