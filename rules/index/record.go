package index

import (
	"net/netip"

	"edrpipe/pkg/events"
)

// record is the index's view of one event: the values of the fields that the conditions
// of its class read, and the results computed from them so far.
type record struct {
	fields []fieldRecord // by the class's numbers
	turn   uint32        // results of other turns are stale
	arena  []byte        // where the canonical forms lie
}

type fieldRecord struct {
	value
	canonTurn uint32
	addrTurn  uint32
	ascii     bool
	isAddr    bool
	canon     []byte
	addr      netip.Addr
}

// begin forgets the last event.
func (r *record) begin() {
	r.turn++
	r.arena = r.arena[:0]
}

func (r *record) load(e *events.Event, fields []*field) {
	for i, f := range fields {
		r.fields[i].value = f.read(e)
	}
}

// canonical is the canonical form of a text field, computed once per event.
func (r *record) canonical(field int32) []byte {
	f := &r.fields[field]
	if f.canonTurn != r.turn {
		f.canonTurn = r.turn
		start := len(r.arena)
		r.arena, f.ascii = appendCanonical(r.arena, f.text)
		f.canon = r.arena[start:]
	}
	return f.canon
}

// isASCII reports whether the text of a field is ASCII.
func (r *record) isASCII(field int32) bool {
	r.canonical(field)
	return r.fields[field].ascii
}

// address is the text of a field as an IP address, parsed once per event.
func (r *record) address(field int32) (netip.Addr, bool) {
	f := &r.fields[field]
	if f.addrTurn != r.turn {
		f.addrTurn = r.turn
		addr, err := netip.ParseAddr(f.text)
		f.addr, f.isAddr = addr.Unmap().WithZone(""), err == nil
	}
	return f.addr, f.isAddr
}
