package events

import (
	"iter"
	"math"
	"slices"
	"time"
)

// A reading is one event in the making: the tokens of its JSON and the Event
// that the rows fill. It is used again for event after event.
type reading struct {
	event *Event
	now   time.Time

	top    values // the message
	doc    values // the one document of a hit
	inner  values // an object within one of them, while it is read
	hasDoc bool
	pool   textPool
}

// use sets the keys that are looked for.
func (x *reading) use(d *dictionary) {
	x.top.dict, x.doc.dict, x.inner.dict = d, d, d
	x.top.docs = &x.doc
}

// flaw notes something wrong with the event, once.
func (x *reading) flaw(name string) {
	if !slices.Contains(x.event.Event.Flaws, name) {
		x.event.Event.Flaws = append(x.event.Event.Flaws, name)
	}
}

// finish derives what follows from other fields.
func (x *reading) finish() {
	e := x.event
	x.pool.normalise(e, formed)
	e.Image.setKnown()
	x.named(&e.Process.Name, e.Process.Path)
	x.named(&e.Process.Parent.Name, e.Process.Parent.Path)
	x.named(&e.Module.Name, e.Module.Path)
	x.named(&e.Child.Name, e.Child.Path)
	x.named(&e.Target.Name, e.Target.Path)
	x.named(&e.File.Name, e.File.Path)
	if e.File.Name != "" {
		e.File.Ext = extension(e.File.Name)
	}
	if e.Reg.RawPath != "" && e.Reg.Path == "" {
		e.Reg.Path = x.pool.registryPath(e.Reg.RawPath)
	}
	x.fromGUID()
	if len(e.Sensor.IDs) == 1 {
		e.Sensor.ID = e.Sensor.IDs[0]
	}
	if !e.Event.Time.IsZero() && !e.Event.Received.IsZero() {
		e.Event.Age = e.Event.Received.Sub(e.Event.Time)
	}
	if x.pool.bad {
		x.flaw(FlawUTF8)
	}
	if x.pool.nul {
		x.flaw(FlawNUL)
	}
}

// named derives the name of a file from its path where the event has none, and brings
// a name that it has to its normal form.
func (x *reading) named(name *string, path string) {
	switch {
	case *name == "":
		if path != "" {
			*name = baseName(path)
		}
	case isWindowsPath(path):
		*name = x.pool.lower(*name)
	case path == "":
		*name = x.pool.fileName(*name)
	}
}

// fromGUID fills fields that the event lacks from the GUIDs of its processes: the
// process id, and for the acting process the start time.
func (x *reading) fromGUID() {
	e := x.event
	for _, p := range []struct {
		guid string
		pid  *int
	}{
		{e.Process.GUID, &e.Process.PID}, {e.Process.Parent.GUID, &e.Process.Parent.PID},
		{e.Child.GUID, &e.Child.PID}, {e.Target.GUID, &e.Target.PID},
	} {
		if p.guid != "" && *p.pid == 0 {
			*p.pid = pidOfGUID(p.guid)
		}
	}
	if p := &e.Process; p.GUID != "" && p.Start.IsZero() {
		if start := startOfGUID(p.GUID); believable(start, x.now) {
			p.Start = start
		}
	}
}

// pidOfGUID is the process id in a GUID of either product; 0 for other text and for an
// unknown process id.
func pidOfGUID(guid string) int {
	pid := 0
	if isGUID(guid) {
		g, _ := ParseGUID(guid) // its form has been checked
		pid = g.PID
	} else if _, n, ok := cloudGUID(guid); ok {
		pid = n
	}
	if pid == math.MaxUint32 {
		return 0
	}
	return pid
}

// startOfGUID is the start of the process in a GUID of either product; the zero
// time where it has none.
func startOfGUID(guid string) time.Time {
	if isGUID(guid) {
		g, _ := ParseGUID(guid) // its form has been checked
		return g.Start
	}
	return cloudStartTime(guid)
}

// derived lists, for each field that finish fills, the fields that it reads.
var derived = map[string][]string{
	"process.name":        {"process.path"},
	"process.parent.name": {"process.parent.path"},
	"module.name":         {"module.path"},
	"child.name":          {"child.path"},
	"target.name":         {"target.path"},
	"file.name":           {"file.path"},
	"file.ext":            {"file.path", "file.name"},
	"reg.path":            {"reg.raw_path"},
	"process.pid":         {"process.guid"},
	"process.parent.pid":  {"process.parent.guid"},
	"child.pid":           {"child.guid"},
	"target.pid":          {"target.guid"},
	"process.start":       {"process.guid"},
	"sensor.id":           {"sensor.ids"},
	"event.age":           {"event.time", "event.received"},
}

// elements iterates over the values of an array that the lexer has accepted;
// the tokens' places count from the start of the array.
func elements(array string) iter.Seq[token] {
	return func(yield func(token) bool) {
		l := lexer{s: array}
		for i := l.space(1); i < len(array) && array[i] != ']'; {
			var t token
			if i = l.value(i, &t); i == failed || !yield(t) {
				return
			}
			if i = l.space(i); l.at(i) == ',' {
				i = l.space(i + 1)
			}
		}
	}
}
