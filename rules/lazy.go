package rules

import (
	"maps"
	"slices"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/rules/index"
)

// Matcher finds matches in messages, without decoding what no rule wants: it
// scans the fields that some rule reads, asks the index, and decodes an event in
// full only when a candidate is left. Kinds of events that no rule names are
// skipped unread where the form of the message allows it.
//
// It gives what decoding everything and Set.Match would give. It may be used by
// several goroutines at once; a new Set needs a new Matcher.
type Matcher struct {
	set     *Set
	scanner *events.Scanner
}

// NewMatcher makes a Matcher that decodes as d does, but for the kinds: those
// that rules name.
func NewMatcher(set *Set, d *events.Decoder) *Matcher {
	asked := set.askedByKind()
	scanner, err := d.For(set.Kinds()).ScannerByKind(func(k events.Kind) []string { return set.index.Fields(asked[k]...) })
	if err != nil {
		panic("rules: the index reads what cannot be scanned: " + err.Error()) // a fault of ours, found by any test
	}
	return &Matcher{set: set, scanner: scanner}
}

// Set is the rules that the Matcher asks.
func (m *Matcher) Set() *Set { return m.set }

// Found is what a message holds.
type Found struct {
	Matches  []Match
	Failures []Failure
	Rejects  []*events.Reject
	Stats    Stats
}

// Stats counts what was done for a message.
type Stats struct {
	Events  int // that were in it, of the kinds that rules name
	Decoded int // of them, decoded in full
}

// Message matches every event of a message.
func (m *Matcher) Message(msg *events.Message) Found {
	var f Found
	buffer := candidates.Get().(*[]int)
	defer candidates.Put(buffer)
	for scan, err := range m.scanner.Events(msg) {
		if err != nil {
			f.Rejects = append(f.Rejects, err.(*events.Reject))
			continue
		}
		f.Stats.Events++
		e := scan.Event
		*buffer = m.set.index.Class(e.Event.Type, e.Event.Kind).Candidates((*buffer)[:0], e)
		if len(*buffer) == 0 {
			continue
		}
		f.Stats.Decoded++
		matches, failures := m.set.decide(scan.Full(), *buffer)
		f.Matches, f.Failures = append(f.Matches, matches...), append(f.Failures, failures...)
	}
	m.set.events.Events.Add(uint64(f.Stats.Events))
	return f
}

// Kinds are the kinds of events that some enabled rule asks for.
func (s *Set) Kinds() events.KindSet {
	kinds := slices.Collect(maps.Keys(s.askedByKind()))
	if len(kinds) == 0 { // no rules: one kind that carries next to nothing, since none would mean all
		kinds = append(kinds, events.Other)
	}
	return events.NewKindSet(kinds...)
}

// askedByKind lists the rules that may be asked of events of each kind.
func (s *Set) askedByKind() map[events.Kind][]int {
	asked, named := map[events.Kind][]int{}, map[string][]events.Kind{}
	for n, r := range s.asked {
		for _, on := range r.On {
			if named[on] == nil {
				named[on] = kindsOf(on)
			}
			for _, k := range named[on] {
				asked[k] = append(asked[k], n)
			}
		}
	}
	return asked
}

// kindsOf are the kinds of the events that an entry of "on" names; all of them
// where it may name types that are not known. Of the types that a pattern names
// and the decoders do not know, those have the kind of known ones that begin
// alike, or none: this holds for patterns that are a beginning and *.
func kindsOf(on string) []events.Kind {
	if i := strings.IndexByte(on, '*'); i >= 0 && (i == 0 || i < len(on)-1) {
		return events.Kinds
	}
	var kinds []events.Kind
	for _, k := range events.Kinds {
		if on == k {
			kinds = append(kinds, k)
		}
	}
	for _, t := range events.Types() {
		if index.Names(on, t.Name, "") {
			kinds = append(kinds, t.Kind)
		}
	}
	if len(kinds) == 0 {
		return events.Kinds
	}
	if strings.HasSuffix(on, "*") { // may name unknown types besides
		kinds = append(kinds, events.Other)
	}
	return kinds
}
