package events

import (
	"fmt"
	"time"
)

// A pass is the decoding of one message. It yields events and rejects as it
// meets them and stops when the reader does.
type pass struct {
	*Decoder
	msg     *Message
	now     time.Time
	yield   func(*Event, error) bool
	reading reading

	sensor transportSensor // of a raw message

	base   int  // where the text being decoded lies in the body
	borrow bool // leave text in the message's buffer, see Scanner
}

// message decodes the message by what it holds.
func (p *pass) message() {
	x := &p.reading
	x.msg, x.now, x.top.dict = p.msg, p.now, fullDictionary
	body := p.msg.Body
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
// its own: the pool never writes to the same bytes twice.
func (p *pass) newEvent(kind Kind, typ string) *Event {
	e := &Event{}
	e.Event = Meta{
		Type: typ, Kind: kind, Received: p.msg.Received,
		Server: p.msg.Server, Transport: p.msg.Transport,
	}
	e.Sensor.IDs = []int{}
	p.reading.event = e
	p.reading.pool.bad, p.reading.pool.nul = false, false
	return e
}

// finish completes the event in p.reading and hands it over.
func (p *pass) finish(o *original) bool {
	x := &p.reading
	x.finish()
	e := x.event
	e.original = o
	e.Event.ID = o.id(e)
	if !p.LazyRaw {
		e.LoadRaw()
	}
	return p.yield(e, nil)
}

// reject hands over a part that gave no event.
func (p *pass) reject(reason Reason, err error, at int, part string) bool {
	data := []byte(part[:min(len(part), keptBytes)])
	return p.yield(nil, &Reject{Reason: reason, Err: err, Offset: at, Data: data})
}
