package index

import (
	"net/netip"

	"edrpipe/pkg/events"
)

// record is one event as the index sees it: the values of the fields that the
// conditions of its class read, and what was computed from them so far.
type record struct {
	values []value // by field id; only those of the class are of this event
	forms  []form  // by field id
	turn   uint32  // forms of other turns are stale
	arena  []byte  // where the canonical forms lie
}

type form struct {
	canonTurn uint32
	addrTurn  uint32
	ascii     bool
	isAddr    bool
	canon     []byte
	addr      netip.Addr
}

func newRecord() *record {
	n := len(table.byID)
	return &record{values: make([]value, n), forms: make([]form, n)}
}

// begin forgets the last event.
func (r *record) begin() {
	r.turn++
	r.arena = r.arena[:0]
}

func (r *record) load(e *events.Event, fields []*field) {
	for _, f := range fields {
		r.values[f.id] = f.read(e)
	}
}

// canonical is the canonical form of a text field, computed once per event.
func (r *record) canonical(f *field) []byte {
	m := &r.forms[f.id]
	if m.canonTurn != r.turn {
		m.canonTurn = r.turn
		start := len(r.arena)
		r.arena, m.ascii = appendCanonical(r.arena, r.values[f.id].text)
		m.canon = r.arena[start:]
	}
	return m.canon
}

// ascii says whether the text of f is ASCII.
func (r *record) ascii(f *field) bool {
	r.canonical(f)
	return r.forms[f.id].ascii
}

// address is the text of f as an IP address, parsed once per event.
func (r *record) address(f *field) (netip.Addr, bool) {
	m := &r.forms[f.id]
	if m.addrTurn != r.turn {
		m.addrTurn = r.turn
		addr, err := netip.ParseAddr(r.values[f.id].text)
		m.addr, m.isAddr = addr.Unmap().WithZone(""), err == nil
	}
	return m.addr, m.isAddr
}
