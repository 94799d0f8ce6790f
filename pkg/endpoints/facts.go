package endpoints

import (
	"fmt"
	"maps"
	"slices"

	"edrpipe/pkg/events"
)

// Facts is what the file says of an endpoint. Several endpoints share one value; it
// must not be changed.
type Facts struct {
	Type        string
	Criticality float64
	Tags        []string
	Labels      map[string]string // with the owner
	Says        events.Facts      // which of them it tells; one may be told to be empty
}

// Fill gives a sensor what the file says of it, over what it has.
func (f *Facts) Fill(s *events.Sensor) {
	if f == nil {
		return
	}
	if f.Says&events.FactType != 0 {
		s.Type = f.Type
	}
	if f.Says&events.FactCriticality != 0 {
		s.Criticality = f.Criticality
	}
	if f.Says&events.FactTags != 0 {
		s.Tags = f.Tags
	}
	if f.Says&events.FactLabels != 0 {
		s.Labels = f.Labels
	}
	s.Known |= f.Says
	s.Given |= f.Says
}

// add takes what one more entry says; a later entry wins.
func (f *Facts) add(e *entry) {
	if e.says&events.FactType != 0 {
		f.Type = e.Type
	}
	if e.says&events.FactCriticality != 0 {
		f.Criticality = e.Criticality
	}
	for _, tag := range e.Tags {
		if !slices.Contains(f.Tags, tag) {
			f.Tags = append(f.Tags, tag)
		}
	}
	if len(e.Labels) > 0 && f.Labels == nil {
		f.Labels = map[string]string{}
	}
	maps.Copy(f.Labels, e.Labels)
	f.Says |= e.says
}

// Told is one fact with the place in the file that says it.
type Told struct {
	Fact  string // type, criticality, tags, labels.NAME
	Value string
	Line  int
}

// Explain lists what the file says of an endpoint, with the line of the entry that
// won. A tag is listed by itself: each has its own.
func (b *Book) Explain(s Subject) []Told {
	var all []Told
	set := func(fact, value string, line int) {
		all = slices.DeleteFunc(all, func(t Told) bool { return t.Fact == fact && (fact != "tags" || t.Value == value || t.Value == "") })
		all = append(all, Told{fact, value, line})
	}
	for _, i := range b.entriesOf(&s) {
		e := &b.entries[i]
		if e.says&events.FactType != 0 {
			set("type", e.Type, e.line)
		}
		if e.says&events.FactCriticality != 0 {
			set("criticality", fmt.Sprint(e.Criticality), e.line)
		}
		for _, tag := range e.Tags {
			set("tags", tag, e.line)
		}
		for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
			set("labels."+name, e.Labels[name], e.line)
		}
		if e.says&events.FactTags != 0 && len(e.Tags) == 0 && !slices.ContainsFunc(all, func(t Told) bool { return t.Fact == "tags" }) {
			set("tags", "", e.line)
		}
	}
	return all
}
