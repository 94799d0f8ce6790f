package propose

import (
	"fmt"
	"strconv"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// parts are the parts of a condition, which all have to be true.
type parts struct {
	steady
	all []string
}

// add leaves out what a rule may not say, such as a name that no event has in that form:
// one such part must not cost the others.
func (p *parts) add(format string, args ...any) bool {
	part := fmt.Sprintf(format, args...)
	if _, err := expression.EventScope().Condition(part); err != nil {
		return false
	}
	p.all = append(p.all, part)
	return true
}

// name compares a name that is the same the next time.
func (p *parts) name(field, value string) bool {
	if value == "" || !p.word(value) {
		return false
	}
	return p.add("%s == %s", field, quote(value))
}

// text compares a text that a person has chosen, whatever it is.
func (p *parts) text(field, value string) bool {
	if value == "" || strings.ContainsFunc(value, odd) {
		return false
	}
	return p.add("%s == %s", field, quote(value))
}

// path compares a whole path. In one as \??\c:\x.exe the question marks look like
// wildcards, which == does not take: glob does, and they stand for themselves there too.
func (p *parts) path(field, value string) {
	if !p.text(field, value) && strings.ContainsAny(value, "*?") && !strings.ContainsFunc(value, odd) {
		p.add("glob(%s, %s)", field, quote(value))
	}
}

// line compares pieces of a command line.
func (p *parts) line(field, value string) {
	for _, piece := range p.pieces(value) {
		p.add("icontains(%s, %s)", field, quote(piece))
	}
}

// within compares the directory, or the key, of a path.
func (p *parts) within(field, value string) {
	if dir := p.directory(value); dir != "" {
		p.add("%s contains %s", field, quote(dir))
	}
}

// file compares a path: its directory, and its name or else its extension.
func (p *parts) file(of string, name, ext, path string) {
	p.within(of+".path", path)
	if !p.name(of+".name", name) && ext != "" && of == "file" {
		p.name(of+".ext", ext)
	}
}

// condition is what tells the event from others; nil where nothing does.
func condition(e *events.Event) []string {
	p := &parts{steady: steadyOf(e)}
	own, known := tellers[e.Event.Kind]
	if !known {
		return nil
	}
	own(p, e)
	if len(p.all) == 0 {
		return nil
	}
	if e.Event.Kind == events.ProcessStart && !e.Process.AlreadyRunning {
		p.all = append([]string{"!process.already_running"}, p.all...)
	}
	return p.all
}

// tellers say for each kind what tells. A kind that is missing has events of no
// endpoint, or carries nothing in a form that is the same for all of its types.
var tellers = map[events.Kind]func(*parts, *events.Event){
	events.ProcessStart: started,
	events.ProcessEnd:   started,
	events.ChildProcess: func(p *parts, e *events.Event) {
		p.name("process.name", e.Process.Name)
		p.name("child.name", e.Child.Name)
		p.line("child.command_line", e.Child.CommandLine)
	},
	events.ModuleLoad: func(p *parts, e *events.Event) {
		p.name("process.name", e.Process.Name)
		p.file("module", e.Module.Name, "", e.Module.Path)
	},
	events.FileChange: func(p *parts, e *events.Event) {
		p.name("process.name", e.Process.Name)
		p.text("file.action", e.File.Action)
		p.file("file", e.File.Name, e.File.Ext, e.File.Path)
	},
	events.Registry: func(p *parts, e *events.Event) {
		p.name("process.name", e.Process.Name)
		p.text("reg.action", e.Reg.Action)
		p.within("reg.path", e.Reg.Path)
	},
	events.Network:      connected,
	events.CrossProcess: crossed,
	events.ScriptLoad: func(p *parts, e *events.Event) {
		p.name("process.name", e.Process.Name)
		for _, call := range p.calls(e.Script.Text) {
			p.add("icontains(script.text, %s)", quote(call))
		}
	},
	events.TamperAlert: func(p *parts, e *events.Event) { p.text("tamper.type", e.Tamper.Type) },
	events.Blocked: func(p *parts, e *events.Event) {
		p.name("process.name", e.Process.Name)
		p.name("child.name", e.Child.Name)
	},
	events.ExploitGuard: func(p *parts, e *events.Event) {
		p.text("exploit.mitigation", e.Exploit.Mitigation)
		p.name("process.name", e.Process.Name)
	},
	events.WatchlistHit: reported,
	events.FeedHit:      reported,
	events.AlertRaised:  reported,
}

func started(p *parts, e *events.Event) {
	p.name("process.name", e.Process.Name)
	p.name("process.parent.name", e.Process.Parent.Name)
	p.line("process.command_line", e.Process.CommandLine)
}

func connected(p *parts, e *events.Event) {
	p.name("process.name", e.Process.Name)
	p.text("net.direction", e.Net.Direction)
	switch {
	case p.name("net.domain", e.Net.Domain):
	case e.Net.Direction == "inbound" && e.Net.LocalPort > 0:
		p.add("net.local_port == %d", e.Net.LocalPort)
	case e.Net.RemotePort > 0:
		p.add("net.remote_port == %d", e.Net.RemotePort)
	}
}

func crossed(p *parts, e *events.Event) {
	p.name("process.name", e.Process.Name)
	p.text("target.action", e.Target.Action)
	p.name("target.name", e.Target.Name)
	if e.Target.IsTarget {
		p.add("target.is_target")
	} else {
		p.add("!target.is_target")
	}
}

// reported is of watchlists, feeds and alerts: what a person or a feed has named.
func reported(p *parts, e *events.Event) {
	switch {
	case p.text("watchlist.name", e.Watchlist.Name):
	case p.text("feed.name", e.Feed.Name):
		p.text("feed.report_title", e.Feed.ReportTitle)
	case p.text("alert.reason_code", e.Alert.ReasonCode):
	case p.text("alert.technique", e.Alert.Technique):
	default:
		p.text("alert.type", e.Alert.Type)
	}
	p.name("process.name", e.Process.Name)
}

// quote writes a text as expressions read it: raw where it has backslashes.
func quote(s string) string {
	if strings.Contains(s, `\`) && !strings.Contains(s, "`") {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}
