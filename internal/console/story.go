package console

import (
	"cmp"
	"fmt"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// longest is how much of a command line a sentence shows.
const longest = 120

// story says in one sentence why there is a job: what happened, or who asked.
func story(j *jobs.Job) string {
	where := cmp.Or(j.Host, "sensor "+j.Endpoint.ID)
	switch {
	case j.Undoes() && len(j.Steps) > 0:
		return fmt.Sprintf("undo of job %s: %s on %s", j.Of, j.Steps[0].Uses, where)
	case j.Event != nil:
		return eventStory(j.Event) + " on " + cmp.Or(j.Event.Sensor.Hostname, where)
	}
	uses := make([]string, 0, len(j.Steps))
	for _, s := range j.Steps {
		uses = append(uses, cmp.Or(s.Uses, "parallel"))
	}
	return fmt.Sprintf("%s asked for %s on %s", j.Submitter, strings.Join(uses, ", "), where)
}

// eventStory says what happened, without the endpoint.
func eventStory(e *events.Event) string {
	who := cmp.Or(e.Process.Name, e.Process.Path, "a process")
	switch e.Event.Kind {
	case events.ProcessStart:
		what := shorten(cmp.Or(e.Process.CommandLine, e.Process.Path, who), longest)
		if parent := cmp.Or(e.Process.Parent.Name, e.Process.Parent.Path); parent != "" {
			return parent + " started " + what
		}
		return what + " started"
	case events.ProcessEnd:
		return who + " ended"
	case events.ChildProcess:
		return who + " started " + shorten(cmp.Or(e.Child.CommandLine, e.Child.Path, "a child"), longest)
	case events.ModuleLoad:
		return who + " loaded " + e.Module.Path
	case events.FileChange:
		return strings.TrimSpace(who+" changed a file") + verb(e.File.Action) + " " + e.File.Path
	case events.Registry:
		return who + " changed the registry" + verb(e.Reg.Action) + " " + e.Reg.Path
	case events.Network:
		return fmt.Sprintf("%s connected %s %s", who, e.Net.Direction, cmp.Or(e.Net.Domain, e.Net.RemoteIP)) + port(e.Net.RemotePort)
	case events.CrossProcess:
		return who + " reached into " + cmp.Or(e.Target.Name, e.Target.Path, "another process") + verb(e.Target.Action)
	case events.ScriptLoad:
		return who + " loaded a script"
	case events.TamperAlert:
		return "the sensor was tampered with" + verb(e.Tamper.Type)
	case events.Blocked:
		return who + " was blocked" + verb(e.Block.Event)
	case events.WatchlistHit:
		return "watchlist " + cmp.Or(e.Watchlist.Name, e.Feed.Name) + " hit " + who
	case events.FeedHit:
		return "feed " + cmp.Or(e.Feed.Name, e.Watchlist.Name) + " hit " + cmp.Or(e.IOC.Value, who)
	case events.AlertRaised:
		return "alert" + verb(e.Alert.Type) + ": " + cmp.Or(e.Watchlist.Name, e.Feed.Name, who)
	}
	return e.Event.Type
}

func verb(action string) string {
	if action == "" {
		return ""
	}
	return " (" + action + ")"
}

func port(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", port %d", n)
}
