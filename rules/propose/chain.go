package propose

import (
	"fmt"
	"maps"
	"strings"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
)

// parameter is one of an action, and the field of the event that fills it.
type parameter struct{ name, field string }

// fills are the actions whose parameters an event can fill; of each, where they come
// from. Others need words of their author: a program, a secret, a duration.
var fills = map[string]func(e *events.Event) []parameter{
	"publish":        nothing,
	"list_processes": nothing,
	"memory_dump":    nothing,
	"isolate":        nothing,
	"kill_process": func(e *events.Event) []parameter {
		return filled(parameter{"pid", when(e.Process.PID != 0, "process.pid")}, parameter{"guid", when(e.Process.GUID != "", "process.guid")},
			parameter{"name", when(e.Process.Name != "", "process.name")})
	},
	"get_file":    func(e *events.Event) []parameter { return filled(parameter{"path", subject(e) + ".path"}) },
	"delete_file": func(e *events.Event) []parameter { return filled(parameter{"path", subject(e) + ".path"}) },
	"ban_hash": func(e *events.Event) []parameter {
		md5, sha256 := hashes(e)
		return filled(parameter{"md5", when(md5 != "", subject(e)+".md5")}, parameter{"sha256", when(sha256 != "", subject(e)+".sha256")})
	},
}

func nothing(*events.Event) []parameter { return nil }

func when(said bool, field string) string {
	if said {
		return field
	}
	return ""
}

func filled(all ...parameter) []parameter {
	var kept []parameter
	for _, p := range all {
		if p.field != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

// subject is the part of the event that names the file in question.
func subject(e *events.Event) string {
	switch {
	case e.Event.Kind == events.FileChange:
		return "file"
	case e.Event.Kind == events.ModuleLoad:
		return "module"
	case e.Event.Kind == events.ChildProcess:
		return "child"
	}
	return "process"
}

func hashes(e *events.Event) (md5, sha256 string) {
	switch subject(e) {
	case "file":
		return e.File.MD5, e.File.SHA256
	case "module":
		return e.Module.MD5, e.Module.SHA256
	case "child":
		return e.Child.MD5, e.Child.SHA256
	}
	return e.Process.MD5, e.Process.SHA256
}

func path(e *events.Event) string {
	return map[string]string{"file": e.File.Path, "module": e.Module.Path, "child": e.Child.Path, "process": e.Process.Path}[subject(e)]
}

// chain is the one step of the rule.
func chain(e *events.Event, action string) ([]step, error) {
	if action == "" {
		action = "publish"
	}
	fill, ok := fills[action]
	if !ok {
		return nil, unfit(action)
	}
	s := step{Uses: action, With: map[string]any{}}
	for _, p := range fill(e) {
		s.With[p.name] = "${{ " + p.field + " }}"
	}
	if action == "publish" {
		maps.Copy(s.With, map[string]any{"subject": "proposed", "body": map[string]any{"event": "${{ event.id }}", "host": "${{ sensor.hostname }}"}})
	}
	missing := ""
	switch _, pid := s.With["pid"]; {
	case strings.HasSuffix(action, "_file") && path(e) == "":
		missing = subject(e) + ".path"
	case action == "kill_process" && !pid:
		missing = "process.pid"
	case action == "ban_hash" && len(s.With) == 0:
		missing = subject(e) + ".md5 and " + subject(e) + ".sha256"
	}
	if missing != "" {
		return nil, fmt.Errorf("action %s needs %s, which event %s of type %s does not say: choose another action", action, missing, e.Event.ID, e.Event.Type)
	}
	return []step{s}, nil
}

// unfit says why a rule cannot be proposed with an action.
func unfit(action string) error {
	if _, is := actions.Lookup(action); is {
		return fmt.Errorf("action %s needs parameters that no event says: propose with one of %s, and write its step by hand", action, strings.Join(Actions(), ", "))
	}
	var known []string
	for _, a := range actions.All() {
		known = append(known, a.Spec().Name)
	}
	hint := ""
	if word := nearest.Word(action, known); word != "" {
		hint = fmt.Sprintf(": did you mean %q?", word)
	}
	return fmt.Errorf("there is no action %q%s", action, hint)
}
