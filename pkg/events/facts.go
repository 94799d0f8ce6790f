package events

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Facts is a set of facts of an endpoint: fields of Sensor that events seldom carry,
// and that come from the endpoint's server or from the operator's endpoints file. A
// fact is known or unknown; unknown is neither empty nor false. FactImage is one more,
// of the event's image.
type Facts uint16

// The facts.
const (
	FactOS Facts = 1 << iota
	FactOSVersion
	FactGroup
	FactType
	FactCriticality
	FactTags
	FactLabels
	FactTenant

	AllFacts Facts = 1<<iota - 1
)

// ServerFacts are the facts that an EDR server can provide. "Windows Server" in the
// text of the OS implies the type server at least.
const ServerFacts = FactOS | FactOSVersion | FactGroup | FactType

var factFields = map[string]Facts{
	"os": FactOS, "os_version": FactOSVersion, "group": FactGroup, "groups": FactGroup, "type": FactType,
	"criticality": FactCriticality, "tags": FactTags, "labels": FactLabels, "tenant": FactTenant,
}

var factNames = [...]string{"os", "os_version", "group", "type", "criticality", "tags", "labels", "tenant"}

// FactOf returns the fact that a field holds: "sensor.type", or "type"; of any field of
// the image but known it is FactImage.
func FactOf(path string) (Facts, bool) {
	if path == "image" || isImageFact(path) {
		return FactImage, true
	}
	f, ok := factFields[strings.TrimPrefix(path, "sensor.")]
	return f, ok
}

// Names lists the facts by the names that rules use, as in "sensor.type".
func (f Facts) Names() []string {
	var names []string
	for i, name := range factNames {
		if f&(1<<i) != 0 {
			names = append(names, "sensor."+name)
		}
	}
	if f&FactImage != 0 {
		names = append(names, "image")
	}
	return names
}

// String is the names, for messages.
func (f Facts) String() string { return strings.Join(f.Names(), ", ") }

// MarshalJSON writes the names.
func (f Facts) MarshalJSON() ([]byte, error) { return json.Marshal(f.Names()) }

// UnmarshalJSON reads names. One that is not known is an error: a fact that counts as
// known by mistake would permit what it should not.
func (f *Facts) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	*f = 0
	for _, name := range names {
		fact, ok := FactOf(name)
		if !ok {
			return fmt.Errorf("%q is not a fact of an endpoint: want one of %s", name, AllFacts)
		}
		*f |= fact
	}
	return nil
}

// Unknown returns the unknown facts of the sensor. A fact with a value is known; an
// empty one is known if it is in Known.
func (s *Sensor) Unknown() Facts {
	has := s.Known
	for _, fact := range [...]struct {
		of    Facts
		known bool
	}{
		{FactOS, s.OS != ""}, {FactOSVersion, s.OSVersion != ""}, {FactGroup, s.Group != "" || len(s.Groups) > 0},
		{FactType, s.Type != ""}, {FactCriticality, s.Criticality != 0}, {FactTags, len(s.Tags) > 0},
		{FactLabels, len(s.Labels) > 0}, {FactTenant, s.Tenant != ""},
	} {
		if fact.known {
			has |= fact.of
		}
	}
	return AllFacts &^ has
}

// ForgetGiven takes away the facts that are not the event's own, so that what holds now
// can be given anew.
func (s *Sensor) ForgetGiven() {
	given := s.Given
	if given == 0 {
		return
	}
	for i, empty := range [...]func(){
		func() { s.OS = "" }, func() { s.OSVersion = "" }, func() { s.Group, s.Groups = "", nil }, func() { s.Type = "" },
		func() { s.Criticality = 0 }, func() { s.Tags = nil }, func() { s.Labels = nil }, func() { s.Tenant = "" },
	} {
		if given&(1<<i) != 0 {
			empty()
		}
	}
	s.Known &^= given
	s.Given = 0
}
