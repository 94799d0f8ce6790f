package listsource

import (
	"cmp"
	"fmt"

	"edrpipe/rules/list"
)

// mostLeft is the part of its values, one in so many, that an answer may have which the
// kind of the list cannot have: more, and it is most likely another format.
const mostLeft = 10

// minShrinkable is how many entries a list must have had before the loss of many of them
// is suspicious.
const minShrinkable = 4

// read takes the entries of an answer.
func (s *Source) read(kind list.Kind, a answer) (kept, error) {
	t, err := s.take(kind, a.body)
	if err != nil {
		return kept{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if t.wrong*mostLeft > t.wrong+len(t.entries) {
		return kept{}, fmt.Errorf("%w: %d of %d values cannot be in a list of type %s, the first: %s", ErrFormat, t.wrong, t.wrong+len(t.entries), kind, t.whyWrong)
	}
	k := kept{Origin: s.origin(), Kind: kind, ETag: a.etag, Modified: a.modified, Left: t.left + t.wrong, First: cmp.Or(t.whyWrong, t.why), Entries: t.entries}
	if len(k.Entries) > s.c.MaxEntries {
		return kept{}, fmt.Errorf("%w: %d, at most %d are taken", ErrTooMany, len(k.Entries), s.c.MaxEntries)
	}
	if len(k.Entries) == 0 {
		return kept{}, fmt.Errorf("%w: none of %d bytes is a value of type %s", ErrEmpty, len(a.body), kind)
	}
	return k, nil
}

// take reads a body in the format of the source.
func (s *Source) take(kind list.Kind, body []byte) (taken, error) {
	var r list.Reading
	var err error
	switch s.c.Format {
	case STIX:
		return readSTIX(kind, body)
	case CSV:
		r, err = list.ReadColumn(s.c.URL, kind, s.c.Column, body)
	default:
		r, err = list.ReadText(s.c.URL, kind, body)
	}
	t := taken{wrong: r.Left, whyWrong: r.First}
	for _, v := range r.Values {
		t.entries = append(t.entries, Entry{Value: v})
	}
	return t, err
}

// shrunk reports an answer that lacks too many of the entries that are still valid: most
// likely one that was cut short, or another list. New entries do not make up for those that
// are gone. Entries that have ended are not lost.
func (s *Source) shrunk(before, after kept) error {
	now := s.c.Now()
	had, has := valid(before.Entries, now), valid(after.Entries, now)
	lost := without(had, has)
	if len(had) < minShrinkable || float64(lost)/float64(len(had)) <= s.c.Shrink {
		return nil
	}
	return fmt.Errorf("%w: %d of the %d entries in force are gone, which is more than %.0f%%; it has %d", ErrShrunk, lost, len(had), 100*s.c.Shrink, len(has))
}
