package rules

import (
	"maps"
	"slices"
	"strings"
	"sync"

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
	// Enrich fills in facts of the endpoint before the condition of an event is run; nil:
	// there are none. It is called for events that some rule may match, not for all.
	Enrich func(*events.Event)

	images   Images // nil: nothing is remembered
	set      *Set
	scanner  *events.Scanner
	searches sync.Pool // of *search
}

// Images is what is remembered of binaries.
type Images interface {
	// Fill sets an event's image, if it is known. It does not block.
	Fill(e *events.Event)
	// Learn takes the metadata of an event that describes a binary. It does not block.
	Learn(e *events.Event)
}

// NewMatcher makes a Matcher that decodes as d does, but for the kinds: those
// that rules name. images is nil where nothing is remembered of binaries.
func NewMatcher(set *Set, d *events.Decoder, images Images) *Matcher {
	asked := set.askedByKind()
	kinds := set.Kinds()
	if images != nil {
		kinds |= events.NewKindSet(events.BinaryKinds...)
	}
	scanner, err := d.For(kinds).ScannerByKind(func(k events.Kind) []string { return set.index.Fields(asked[k]...) })
	if err != nil {
		panic("rules: the index reads what cannot be scanned: " + err.Error()) // a fault of ours, found by any test
	}
	return &Matcher{set: set, scanner: scanner, images: images}
}

// Set is the rules that the Matcher asks.
func (m *Matcher) Set() *Set { return m.set }

// Found is what a message holds.
type Found struct {
	Matches  []Match
	Failures []Failure
	Unclear  []Unclear // rules that hang on facts that are not known
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
	s, _ := m.searches.Get().(*search)
	if s == nil {
		s = &search{Matcher: m}
		s.take, s.one = s.event, s.enrichOne
	}
	m.scanner.Events(msg)(s.take)
	found := s.found
	s.found = Found{}
	m.searches.Put(s)
	m.set.events.Events.Add(uint64(found.Stats.Events))
	return found
}

// A search is the work on one message. It is used again for the next, since most
// messages hold nothing and should leave no garbage either.
type search struct {
	*Matcher
	found   Found
	numbers []int                         // of candidates
	take    func(events.Scan, error) bool // event, bound once
	one     func(*events.Event)           // enrichOne, bound once
}

func (s *search) event(scan events.Scan, err error) (more bool) {
	if err != nil {
		s.found.Rejects = append(s.found.Rejects, err.(*events.Reject))
		return true
	}
	s.found.Stats.Events++
	e := scan.Event
	if s.images != nil {
		s.images.Fill(e)
		if events.DescribesBinary(e.Event.Type, e.Event.Kind) {
			s.images.Learn(scan.Full())
		}
	}
	s.numbers = s.set.index.Class(e.Event.Type, e.Event.Kind).Candidates(s.numbers[:0], e)
	if len(s.numbers) == 0 {
		return true
	}
	s.found.Stats.Decoded++
	full := scan.Full()
	if s.Enrich != nil {
		s.Enrich(full)
	}
	if s.images != nil {
		full.Image = e.Image // what the candidates were found with
		s.images.Fill(full)
	}
	found := s.set.decide(full, s.numbers, s.one)
	s.found.Unclear = append(s.found.Unclear, found.unclear...)
	s.found.Matches, s.found.Failures = append(s.found.Matches, found.matches...), append(s.found.Failures, found.failures...)
	return true
}

// enrichOne fills in the facts of one endpoint of an event that names several.
func (m *Matcher) enrichOne(e *events.Event) {
	if m.Enrich != nil {
		m.Enrich(e)
	}
	if m.images != nil {
		m.images.Fill(e)
	}
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
