package events

import (
	"fmt"
	"iter"
	"strings"
	"sync"
)

// A Scanner reads some fields of events without decoding the rest: one pass checks all
// bytes and keeps the selected fields, without allocating memory in the common case.
// It runs the tables of its Decoder in the same walk over the bytes, so that its values
// equal the Decoder's for every kind of message. It is safe for concurrent use.
//
//	s, err := d.Scanner("event.type", "process.name")
//	for scan, err := range s.Events(msg) {
//		if err != nil { … } // a *Reject, as from Decoder.Events
//		if candidate(scan.Event) {
//			decide(scan.Full())
//		}
//	}
type Scanner struct {
	decoder *Decoder
	fields  map[Kind][]Field
	dict    *dictionary
	steps   [][]step // by the number of the shape
	id      bool     // event.id is selected
	passes  sync.Pool
}

// A Scan is one event of which only the fields that the Scanner was made for
// are sure to be set. It and all its text are valid until the iteration goes on.
type Scan struct {
	Event *Event
	pass  *pass
}

// notScanned are the fields that need the whole event, or memory.
var notScanned = map[string]bool{"raw": true, "ioc.attrs": true, "event.flaws": true}

// Scanner makes a Scanner for the fields with the given paths. A path that is
// no field, or one that only a full decode can give (raw, ioc.attrs,
// event.flaws), is an error.
func (d *Decoder) Scanner(paths ...string) (*Scanner, error) {
	return d.ScannerByKind(func(Kind) []string { return paths })
}

// ScannerByKind is Scanner for fields that differ from kind to kind: what is
// read of an event costs, even if only a little.
func (d *Decoder) ScannerByKind(paths func(Kind) []string) (*Scanner, error) {
	s := &Scanner{decoder: d, fields: map[Kind][]Field{}, steps: make([][]step, len(everyShape))}
	for _, kind := range Kinds {
		wanted := map[string]bool{}
		for _, path := range paths(kind) {
			f, ok := FieldOf(path)
			switch {
			case !ok:
				return nil, fmt.Errorf("events have no field %q", path)
			case notScanned[path]:
				return nil, fmt.Errorf("field %s can not be scanned, only decoded", path)
			}
			s.fields[kind] = append(s.fields[kind], f)
			s.want(path, wanted)
		}
		for _, shape := range everyShape {
			if shape.kind == kind {
				s.steps[shape.number] = shape.stepsFor(wanted)
			}
		}
	}
	s.dict = newDictionary(keysOfSteps(func(shape *shape) []step { return s.steps[shape.number] }))
	return s, nil
}

// want adds a field and those that it is derived from.
func (s *Scanner) want(path string, wanted map[string]bool) {
	if wanted[path] {
		return
	}
	wanted[path] = true
	if path == "event.id" {
		s.id = true
		s.want("event.server", wanted)
		s.want("sensor.ids", wanted)
	}
	sources := derived[path]
	if strings.HasPrefix(path, imagePart) {
		sources = imageSources
	}
	for _, source := range sources {
		s.want(source, wanted)
	}
}

// Fields lists the selected fields of events of a kind, in the order of selection.
func (s *Scanner) Fields(kind Kind) []Field { return s.fields[kind] }

// Events scans a message. It gives what Decoder.Events gives: an event for an
// event, a reject for a reject.
func (s *Scanner) Events(msg *Message) iter.Seq2[Scan, error] {
	return func(yield func(Scan, error) bool) {
		p := s.decoder.begin(msg, &s.passes)
		defer p.end()
		p.scan, p.yieldScan = s, yield
		p.reading.use(s.dict)
		p.message()
	}
}

// Full decodes the scanned event in full. The result is the caller's own.
func (s Scan) Full() *Event {
	p := s.pass
	d := p.Decoder
	q := d.begin(p.msg, &d.passes)
	defer q.end()
	var full *Event
	q.yield = func(e *Event, _ error) bool {
		full = e
		return true
	}
	o := p.original
	switch o.format {
	case sensorOriginal:
		q.sensorEvent(bytesOf(o.text), 0)
		return full
	case ownOriginal:
		q.normalised(o.text, 0)
		return full
	}
	x := &q.reading
	o.text = q.own(o.text)
	if x.top.read(o.text) != nil {
		return nil // can not happen: it has been read before
	}
	if x.hasDoc = o.doc.end != 0; x.hasDoc && x.doc.readAt(o.text, o.doc.start) != nil {
		return nil
	}
	q.event(p.shape, s.Event.Event.Type, o)
	return full
}
