package events

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Raw sensor events, one CbEventMsg each. The schema is sensorevents.proto; it
// is read by hand here, since almost every event is of a kind that no rule
// wants, and its kind stands in the outer tags.

// Fields of CbEventMsg.
const (
	tagHeader             = 1
	tagStrings            = 2
	tagProcess            = 3
	tagModload            = 4
	tagFilemod            = 5
	tagNetwork            = 6
	tagRegmod             = 7
	tagModule             = 9
	tagVtwrite            = 10
	tagChildproc          = 12
	tagEnv                = 13
	tagCrossproc          = 14
	tagTamperAlert        = 15
	tagBlocked            = 16
	tagEmet               = 17
	tagNetconnBlocked     = 18
	tagProcessMeta        = 19
	tagNetworkV2          = 20
	tagNetconnBlockedV2   = 21
	tagInternalUse        = 22
	tagScriptexe          = 23
	tagFileBackedScript   = 24
	lastKnownSensorMember = tagFileBackedScript
)

// A sensorKind is one member of CbEventMsg that is an event.
type sensorKind struct {
	kind Kind
	typ  string
	read func(*sensorReading, []byte) error
}

var sensorKinds = map[protowire.Number]*sensorKind{
	tagProcess:          {ProcessStart, "ingress.event.procstart", (*sensorReading).process},
	tagModload:          {ModuleLoad, "ingress.event.moduleload", (*sensorReading).modload},
	tagFilemod:          {FileChange, "ingress.event.filemod", (*sensorReading).filemod},
	tagNetwork:          {Network, "ingress.event.netconn", (*sensorReading).network},
	tagRegmod:           {Registry, "ingress.event.regmod", (*sensorReading).regmod},
	tagModule:           {BinaryInfo, "ingress.event.module", (*sensorReading).module},
	tagChildproc:        {ChildProcess, "ingress.event.childproc", (*sensorReading).childproc},
	tagCrossproc:        {CrossProcess, "ingress.event.remotethread", (*sensorReading).crossproc},
	tagTamperAlert:      {TamperAlert, "ingress.event.tamper", (*sensorReading).tamper},
	tagBlocked:          {Blocked, "ingress.event.processblock", (*sensorReading).blocked},
	tagEmet:             {ExploitGuard, "ingress.event.emetmitigation", (*sensorReading).emet},
	tagNetworkV2:        {Network, "ingress.event.netconn", (*sensorReading).networkV2},
	tagScriptexe:        {ScriptLoad, "ingress.event.filelessscriptload", (*sensorReading).script},
	tagFileBackedScript: {ScriptLoad, "ingress.event.scriptload", (*sensorReading).script},
}

// The two events that share a member with another.
const (
	procendType   = "ingress.event.procend"
	crossopenType = "ingress.event.crossprocopen"
)

// sensorParts is a CbEventMsg taken apart: one look at its outer tags.
type sensorParts struct {
	header, env, body []byte
	member            protowire.Number // of body; 0 when there is none
}

func splitSensorEvent(b []byte) (sensorParts, error) {
	var parts sensorParts
	w := wire{b: b}
	for w.next() {
		switch {
		case w.bytes == nil, w.num == tagStrings:
		case w.num == tagHeader:
			parts.header = w.bytes
		case w.num == tagEnv:
			parts.env = w.bytes
		case parts.member == 0 || sensorKinds[parts.member] == nil:
			parts.member, parts.body = w.num, w.bytes
		}
	}
	if w.err != nil {
		return parts, w.err
	}
	if parts.header == nil {
		return parts, fmt.Errorf("%w: no event header", errWire)
	}
	return parts, nil
}

// kindOf is the kind of a sensor event, without decoding more of it.
func (s *sensorParts) kindOf(k *sensorKind) Kind {
	if k.kind == ProcessStart && !createdProcess(s.body) {
		return ProcessEnd
	}
	return k.kind
}

// createdProcess reports whether a process message says that it started.
func createdProcess(body []byte) bool {
	created := false
	for w := (wire{b: body}); w.next(); {
		if w.num == 2 {
			created = w.value != 0
		}
	}
	return created
}

// sensorEvent decodes one CbEventMsg.
func (p *pass) sensorEvent(b []byte, at int) bool {
	if len(b) > p.maxDocument() {
		return p.reject(TooLarge, fmt.Errorf("a sensor event of %d bytes, more than %d", len(b), p.maxDocument()), at, textOf(b))
	}
	parts, err := splitSensorEvent(b)
	if err != nil {
		return p.reject(BadProtobuf, err, at, textOf(b))
	}
	k := sensorKinds[parts.member]
	if k == nil {
		return p.reject(NotAnEvent, fmt.Errorf("a sensor message of member %d", parts.member), at, textOf(b))
	}
	kind := parts.kindOf(k)
	if !p.Kinds.Has(kind) {
		return true
	}
	p.recycle()
	text := p.own(textOf(b))
	if p.scan == nil {
		parts, _ = splitSensorEvent(bytesOf(text)) // the same, in memory of its own
	}
	p.newEvent(kind, k.typ)
	r := &p.sensorReading
	*r = sensorReading{reading: &p.reading, whole: bytesOf(text)}
	if kind == ProcessEnd {
		r.event.Event.Type = procendType
	}
	if err := r.fill(&parts, k, p.sensorOf()); err != nil {
		return p.reject(BadProtobuf, fmt.Errorf("%s: %w", k.typ, err), at, textOf(b))
	}
	p.shape = nil
	return p.finish(original{format: sensorOriginal, text: text})
}

// A transportSensor is what the message's headers say of the sensor.
type transportSensor struct {
	known bool // the headers have been read
	id    int
	host  string
}

// sensorOf reads the sensor headers of a raw message, once for a whole bundle.
func (p *pass) sensorOf() transportSensor {
	if p.sensor.known {
		return p.sensor
	}
	p.sensor.known = true
	if n, ok := integerOf(strings.TrimSpace(header(p.msg.Headers, "sensorId"))); ok && n > 0 && n < 1<<31 {
		p.sensor.id = int(n)
	}
	p.sensor.host = header(p.msg.Headers, "sensorHostName")
	return p.sensor
}

// header finds a header whatever the case that a transport made of its name.
func header(headers map[string]string, name string) string {
	if v, ok := headers[name]; ok {
		return v
	}
	for k, v := range headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// A sensorReading is a reading of a CbEventMsg.
type sensorReading struct {
	*reading
	whole    []byte
	sensor   int
	filePath uint64 // the subject's path, as a reference into the string table
}

// fill reads env, header and body in the order in which they need each other.
func (r *sensorReading) fill(parts *sensorParts, k *sensorKind, from transportSensor) error {
	r.env(parts.env, from)
	if err := r.header(parts.header); err != nil {
		return err
	}
	return k.read(r, parts.body)
}

// env says which sensor it was. The server adds it to single events; in a
// bundle the transport's headers say it.
func (r *sensorReading) env(b []byte, from transportSensor) {
	id, host := from.id, from.host
	for w := (wire{b: b}); w.next(); {
		if w.num != 1 {
			continue
		}
		for e := (wire{b: w.bytes}); e.next(); {
			switch e.num {
			case 1:
				if n := int32(e.value); n > 0 {
					id = int(n)
				}
			case 2:
				if s := r.str(e.bytes); s != "" {
					host = s
				}
			}
		}
	}
	r.sensor = id
	s := &r.event.Sensor
	if id > 0 {
		s.IDs = append(s.IDs, id)
	}
	if host != "" {
		s.Hostname = host
		s.Hostnames = append(s.Hostnames, host)
	}
}

func (r *sensorReading) header(b []byte) error {
	e := r.event
	var pid, created optional
	var pathRef uint64
	w := wire{b: b}
	for w.next() {
		switch w.num {
		case 4:
			e.Event.Time = r.when(w.value)
		case 6:
			r.filePath = w.value
		case 8:
			pathRef = w.value
		case 9:
			created.set(w.value)
		case 10:
			pid.set(w.value)
		case 11:
			e.Process.MD5 = r.digest(w.bytes)
		case 12:
			e.Process.Path = r.str(w.bytes)
		case 13:
			e.Process.ForkPID = int(uint32(w.value))
		case 14:
			e.Process.SHA256 = r.digest(w.bytes)
		}
	}
	if e.Process.Path == "" {
		e.Process.Path = r.lookup(pathRef)
	}
	e.Process.PID = int(uint32(pid.value))
	e.Process.GUID = r.guid(pid, created)
	e.Process.Start = filetimeWithin(created.value, r.now)
	return w.err
}

// An optional is a field that says something by being there.
type optional struct {
	value uint64
	there bool
}

func (o *optional) set(v uint64) { o.value, o.there = v, true }

// guid makes the GUID of a process on this sensor. Without pid or start, none.
func (r *sensorReading) guid(pid, start optional) string {
	if !pid.there || !start.there || r.sensor <= 0 || uint32(pid.value) == 0 && start.value == 0 {
		return ""
	}
	return r.pool.take(appendGUID(r.pool.room(guidLength), r.sensor, uint32(pid.value), start.value))
}

// when reads the event's time; one that no clock can have said stays unknown.
func (r *sensorReading) when(ft uint64) time.Time {
	if ft == 0 {
		return time.Time{}
	}
	t := filetimeWithin(ft, r.now)
	if t.IsZero() {
		r.flaw(FlawTime)
	}
	return t
}

func filetimeWithin(ft uint64, now time.Time) time.Time {
	if t := filetime(ft); !t.IsZero() && believable(t, now) {
		return t
	}
	return time.Time{}
}

// lookup finds a string in the message's table. It is asked for at most two of
// them, so it walks the table instead of building a map.
func (r *sensorReading) lookup(ref uint64) string {
	if ref == 0 {
		return ""
	}
	for w := (wire{b: r.whole}); w.next(); {
		if w.num != tagStrings {
			continue
		}
		var id uint64
		var text []byte
		for s := (wire{b: w.bytes}); s.next(); {
			switch s.num {
			case 1:
				id = s.value
			case 2:
				text = s.bytes
			}
		}
		if id == ref {
			return r.str(text)
		}
	}
	return ""
}

func (r *sensorReading) str(b []byte) string { return r.pool.clean(textOf(b)) }

// digest writes a hash as hex; what has not the length of one is none.
func (r *sensorReading) digest(b []byte) string {
	if len(b) != 16 && len(b) != 32 {
		return ""
	}
	const hexDigits = "0123456789abcdef"
	zeros := true
	out := r.pool.room(2 * len(b))
	for _, c := range b {
		zeros = zeros && c == 0
		out = append(out, hexDigits[c>>4], hexDigits[c&15])
	}
	if zeros {
		return ""
	}
	return r.pool.take(out)
}

func nameOf(names []string, n uint64, first uint64) string {
	if n >= first && n-first < uint64(len(names)) {
		return names[n-first]
	}
	return strconv.FormatUint(n, 10)
}

// eachOutsideEnv gives a message's fields but the one that the server adds to
// single events: the rest is the same in a bundle.
func eachOutsideEnv(message string, f func(part string)) {
	b := bytesOf(message)
	w := wire{b: b}
	for start := 0; w.next(); start = len(b) - len(w.b) {
		if w.num != tagEnv {
			f(message[start : len(b)-len(w.b)])
		}
	}
}
