package events

import (
	"fmt"
	"strings"

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

// createdProcess reports whether a process message is a start.
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

// A transportSensor is the sensor named in the message's headers.
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

// header finds a header by its name without regard to case, which transports change.
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
