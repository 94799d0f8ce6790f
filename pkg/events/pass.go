package events

import (
	"fmt"
	"sync"
	"time"
)

// A pass is the decoding of one message. It yields events and rejects as it
// meets them and stops when the reader does.
type pass struct {
	*Decoder
	pool          *sync.Pool // that it came from
	msg           *Message
	now           time.Time
	yield         func(*Event, error) bool
	reading       reading
	sensor        transportSensor // of a raw message
	sensorReading sensorReading
	base          int // where the text being decoded lies in the body

	scan *Scanner // nil: decode in full
	scanned
}

// scanned is what a pass for a Scanner works on. Text stays in the message's
// buffer, and the event is the same one again and again.
type scanned struct {
	scratch   Event
	yieldScan func(Scan, error) bool
	ids       [4]string
	names     [4]string
	original  original // of the event in scratch
	shape     *shape   // nil for a sensor event
}

// begin takes a pass for a message out of a pool; end gives it back. Decoder
// and Scanner have a pool each: a scan writes over text that a decode keeps.
func (d *Decoder) begin(msg *Message, pool *sync.Pool) *pass {
	p, _ := pool.Get().(*pass)
	if p == nil {
		p = &pass{Decoder: d}
	}
	p.pool = pool
	p.msg, p.now = msg, d.clock(msg)
	x := &p.reading
	x.now = p.now
	x.use(fullDictionary)
	return p
}

func (p *pass) end() {
	p.msg, p.yield, p.yieldScan, p.scan, p.base = nil, nil, nil, nil, 0
	p.sensor = transportSensor{}
	x := &p.reading
	x.event, x.hasDoc = nil, false
	p.sensorReading.whole = nil
	x.top.s, x.doc.s, x.inner.s = "", "", ""
	p.original.text = "" // scratch may refer to the message a little longer, until the next one
	p.pool.Put(p)
}

// message decodes the message by what it holds.
func (p *pass) message() {
	body := p.msg.Body
	if len(body) > maxBody {
		p.reject(TooLarge, fmt.Errorf("a message of %d bytes, more than %d", len(body), maxBody), 0, textOf(body))
		return
	}
	switch formOf(p.msg) {
	case emptyForm:
	case jsonForm:
		p.stream(textOf(body), p.msg.RoutingKey, 0)
	case zipForm:
		p.archive(body)
	case sensorEventForm:
		p.sensorEvent(body, 0)
	case bundleForm:
		p.bundle(body, 0)
	default:
		p.reject(UnknownFormat, fmt.Errorf("neither JSON nor protobuf nor zip, begins with %q", body[:min(len(body), 8)]), 0, textOf(body))
	}
}

// newEvent begins an event. What the last one took from the pool of text stays
// its own: the pool never writes to the same bytes twice, except in a scan,
// which is reset for each document.
func (p *pass) newEvent(kind Kind, typ string) *Event {
	x := &p.reading
	var e *Event
	if p.scan == nil {
		e = &Event{}
		e.Sensor.IDs = []string{}
	} else {
		e = &p.scratch
		*e = Event{}
		e.Sensor.IDs, e.Sensor.Hostnames = p.ids[:0], p.names[:0]
	}
	e.Event.Type, e.Event.Kind, e.Event.Received = typ, kind, p.msg.Received
	e.Event.Server, e.Event.Bound, e.Event.Transport = p.msg.Server, p.msg.Server, p.msg.Transport
	x.event = e
	x.pool.bad, x.pool.nul = false, false
	return e
}

// finish completes the event in p.reading and hands it over.
func (p *pass) finish(o original) bool {
	x := &p.reading
	x.finish()
	e := x.event
	if p.scan != nil {
		p.original = o
		if p.scan.id {
			e.Event.ID = o.id(e)
		}
		return p.emit(e, nil)
	}
	kept := o
	e.original = &kept
	e.Event.ID = o.id(e)
	if !p.LazyRaw {
		e.LoadRaw()
	}
	return p.emit(e, nil)
}

// recycle lets a scan overwrite the text of the event before. It is called before each
// document, when no reference to that text is left.
func (p *pass) recycle() {
	if p.scan != nil {
		p.reading.pool.chunk = p.reading.pool.chunk[:0]
	}
}

// emit yields an event or a reject to the caller.
func (p *pass) emit(e *Event, err error) bool {
	if p.scan != nil {
		return p.yieldScan(Scan{e, p}, err)
	}
	return p.yield(e, err)
}

// reject hands over a part that gave no event.
func (p *pass) reject(reason Reason, err error, at int, part string) bool {
	data := []byte(part[:min(len(part), keptBytes)])
	return p.emit(nil, &Reject{Reason: reason, Err: err, Offset: at, Data: data})
}
