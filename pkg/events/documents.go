package events

import (
	"fmt"
	"strings"
)

// documents gives an object's events: one, or one for each of a hit's docs.
func (p *pass) documents(s string, at int, t eventType) bool {
	shape, typ := t.shape, t.name
	if shape == nil {
		return p.reject(NoType, fmt.Errorf("neither a routing key nor a type"), at, s)
	}
	if !p.Kinds.hasAny(shape.bit) {
		return true
	}
	x := &p.reading
	docs := x.top.get(keyDocs)
	s = p.own(s)
	x.top.s = s
	if !shape.docs || docs.kind != objectToken && docs.kind != arrayToken {
		return p.event(shape, typ, original{format: jsonOriginal, text: s})
	}
	whole := original{format: jsonOriginal, text: s, docs: span{int(docs.start), int(docs.end)}}
	if docs.kind == objectToken {
		return p.document(shape, typ, whole, whole.docs, at)
	}
	switch {
	case x.top.docCount == 0:
		return p.event(shape, typ, whole)
	case x.top.docCount == 1 && x.top.firstDoc.end > 0:
		x.doc.s = s
		return p.documentRead(shape, typ, whole, x.top.firstDoc)
	}
	for t := range elements(s[docs.start:docs.end]) {
		if !p.document(shape, typ, whole, span{int(docs.start + t.start), int(docs.start + t.end)}, at) {
			return false
		}
	}
	return true
}

// document reads one of several documents and gives its event.
func (p *pass) document(shape *shape, typ string, whole original, doc span, at int) bool {
	if whole.text[doc.start] != '{' {
		return p.reject(BadJSON, fmt.Errorf("%s: a document that is not an object", typ), at+doc.start, whole.text[doc.start:doc.end])
	}
	if err := p.reading.doc.readAt(whole.text, doc.start); err != nil { // can not happen: the lexer has been here
		return p.reject(BadJSON, err, at+doc.start, whole.text[doc.start:doc.end])
	}
	return p.documentRead(shape, typ, whole, doc)
}

// documentRead gives the event of the document in p.reading.doc.
func (p *pass) documentRead(shape *shape, typ string, whole original, doc span) bool {
	whole.doc = doc
	p.reading.hasDoc = true
	more := p.event(shape, typ, whole)
	p.reading.hasDoc = false
	return more
}

// event fills one event by its shape and hands it over.
func (p *pass) event(shape *shape, typ string, o original) bool {
	x := &p.reading
	e := p.newEvent(shape.kind, typ)
	e.Event.Stage = shape.stage
	if shape.unknown {
		x.flaw(FlawUnknownType)
	}
	steps := shape.steps
	if p.scan != nil {
		p.shape = shape
		steps = p.scan.steps[shape.number]
	}
	for i := range steps {
		steps[i].do(x)
	}
	return p.finish(o)
}

// own copies a document out of the message's buffer: events outlive it, those
// of a scan do not.
func (p *pass) own(s string) string {
	if p.scan != nil {
		return s
	}
	return strings.Clone(s)
}
