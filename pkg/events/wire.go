package events

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// A wire reads the fields of one protobuf message, in place.
//
//	for w := (wire{b: b}); w.next(); {
//		switch w.num { … }
//	}
type wire struct {
	b     []byte
	num   protowire.Number
	typ   protowire.Type
	value uint64 // of a varint or fixed-width field
	bytes []byte // of a length-delimited field, never nil there
	err   error
}

var errWire = errors.New("not a protobuf message")

// next reads one field and reports whether there was one.
func (w *wire) next() bool {
	if len(w.b) == 0 || w.err != nil {
		return false
	}
	num, typ, n := protowire.ConsumeTag(w.b)
	if n < 0 {
		w.err = errWire
		return false
	}
	rest := w.b[n:]
	w.num, w.typ, w.value, w.bytes = num, typ, 0, nil
	switch typ {
	case protowire.VarintType:
		w.value, n = protowire.ConsumeVarint(rest)
	case protowire.BytesType:
		w.bytes, n = protowire.ConsumeBytes(rest)
	case protowire.Fixed64Type:
		w.value, n = protowire.ConsumeFixed64(rest)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(rest)
		w.value = uint64(v)
	default: // groups, which the schema does not use
		n = protowire.ConsumeFieldValue(num, typ, rest)
	}
	if n < 0 {
		w.err = errWire
		return false
	}
	w.b = rest[n:]
	return true
}

// wellFormed reports whether b is a row of protobuf fields to its last byte.
func wellFormed(b []byte) bool {
	w := wire{b: b}
	for w.next() {
	}
	return w.err == nil
}
