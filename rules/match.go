package rules

import (
	"fmt"
	"sync"
	"sync/atomic"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/rules/index"
)

// Why a match has no sensor to act on; values of Match.Refused.
const (
	NoSensor       = "no_sensor"        // the event names none
	SeveralSensors = "several_sensors"  // it names several and the rule does not say each
	TooManySensors = "too_many_sensors" // more than the rule's max
	TooOld         = "too_old"          // older than the rule's max_age
	StateForeign   = "quarantine"       // the record of what the rule has seen does not verify
	// The endpoint has used up its share of what correlations remember; the event counts
	// together with others of the endpoint.
	CorrelationFull = "correlation_full"
	CorrelationLost = "correlation_lost" // nor is there room to count it together with others
	TimeUnknown     = "time_unknown"     // its time is not known, and the rule has a max_age
)

// Failure is an expression of a rule that could not be evaluated on an event.
// It is not "no match": somebody has to look at the rule.
type Failure struct {
	Rule  *Rule
	Part  string // when, vars.NAME, suppress.key, correlate.field, correlate.group_by
	Event string // id of the event
	Err   error
}

func (f Failure) Error() string { return fmt.Sprintf("rule %s: %s: %v", f.Rule.ID, f.Part, f.Err) }

func (f Failure) Unwrap() error { return f.Err }

// Unclear is a rule of which it cannot be told whether it matches an event: its
// condition hangs on facts of the endpoint that are not known. It does not match.
type Unclear struct {
	Rule    *Rule
	Event   *events.Event
	Missing events.Facts
}

// Why says in words what is not known.
func (u Unclear) Why() string { return notKnown(u.Missing) }

func notKnown(missing events.Facts) string {
	verb := "is"
	if len(missing.Names()) > 1 {
		verb = "are"
	}
	return fmt.Sprintf("cannot tell: %s %s not known", missing, verb)
}

// Counters is what a Set has done since it was made.
type Counters struct {
	Events     atomic.Uint64 // matched against the rules
	Candidates atomic.Uint64 // conditions that were run
	Matches    atomic.Uint64
	Failures   atomic.Uint64 // evaluations that ended in an error
	Unclear    atomic.Uint64 // conditions that hang on facts that are not known
}

// Counters of the set, live.
func (s *Set) Counters() *Counters { return &s.events }

// Match finds the rules that the event fulfils, in the order of their files, and
// those that could not be evaluated on it. Rules that only feed a correlation
// are among them; see Correlator.
func (s *Set) Match(e *events.Event) ([]Match, []Failure) {
	matches, failures, _ := s.MatchKnowing(e, nil)
	return matches, failures
}

// MatchKnowing is Match, and returns the rules too of which it cannot be told whether
// the event fulfils them: they hang on facts of the endpoint that are not known. enrich
// gives an event the facts of its one endpoint; it is called for each endpoint of an
// event that names several, where a rule acts on each. Nil: the facts are those of e.
func (s *Set) MatchKnowing(e *events.Event, enrich func(*events.Event)) ([]Match, []Failure, []Unclear) {
	s.events.Events.Add(1)
	buffer := candidates.Get().(*[]int)
	defer candidates.Put(buffer)
	*buffer = s.index.Class(e.Event.Type, e.Event.Kind).Candidates((*buffer)[:0], e)
	if len(*buffer) == 0 {
		return nil, nil, nil
	}
	found := s.decide(e, *buffer, enrich)
	return found.matches, found.failures, found.unclear
}

// candidates are buffers for the numbers of candidates.
var candidates = sync.Pool{New: func() any { return new([]int) }}

// decided is what the conditions of candidates have come to.
type decided struct {
	matches  []Match
	failures []Failure
	unclear  []Unclear
}

// ask runs the condition of a rule.
func (d *decided) ask(r *Compiled, e *events.Event) {
	truth, missing, err := r.holds(e)
	var m Match
	if err == nil && truth == expression.True {
		m, err = r.match(e)
	}
	switch {
	case err != nil:
		d.failures = append(d.failures, failure(r, e, err))
	case truth == expression.Unknown:
		d.unclear = append(d.unclear, Unclear{r.Rule, e, missing})
	case truth == expression.True:
		d.matches = append(d.matches, m)
	}
}

// decide runs the conditions of the candidates. enrich is as for MatchKnowing.
func (s *Set) decide(e *events.Event, numbers []int, enrich func(*events.Event)) (d decided) {
	s.events.Candidates.Add(uint64(len(numbers)))
	var apart []*events.Event // of each endpoint of e; made for the first rule that acts on each
	for _, n := range numbers {
		r := s.asked[n]
		switch {
		case !r.sees(e):
		case r.actsOnEach(e):
			if apart == nil {
				apart = endpointsApart(e, enrich)
			}
			d.askEach(r, e, apart)
		default:
			d.ask(r, e)
		}
	}
	s.events.Matches.Add(uint64(len(d.matches)))
	s.events.Failures.Add(uint64(len(d.failures)))
	s.events.Unclear.Add(uint64(len(d.unclear)))
	return d
}

// MatchLoop is Match without the index: every condition is run. It exists to
// compare with.
func (s *Set) MatchLoop(e *events.Event) ([]Match, []Failure) {
	var numbers []int
	for n, r := range s.asked {
		if r.Names(e) {
			numbers = append(numbers, n)
		}
	}
	found := s.decide(e, numbers, nil)
	return found.matches, found.failures
}

// Names reports whether the rule's "on" names the event.
func (r *Rule) Names(e *events.Event) bool {
	for _, on := range r.On {
		if index.Names(on, e.Event.Type, e.Event.Kind) {
			return true
		}
	}
	return false
}

// partError is an error with the part of the rule that it came from.
type partError struct {
	part string
	err  error
}

func (p *partError) Error() string { return p.part + ": " + p.err.Error() }

func failure(r *Compiled, e *events.Event, err error) Failure {
	f := Failure{Rule: r.Rule, Part: "when", Event: e.Event.ID, Err: err}
	if p, ok := err.(*partError); ok {
		f.Part, f.Err = p.part, p.err
	}
	return f
}

// failureOf is failure, or nil where there is no error.
func failureOf(r *Compiled, e *events.Event, err error) error {
	if err == nil {
		return nil
	}
	return failure(r, e, err)
}

// holds evaluates the rule's condition; missing are the facts of the endpoint on which
// it hangs where it is unknown.
func (r *Compiled) holds(e *events.Event) (truth expression.Truth, missing events.Facts, err error) {
	if r.Raw {
		e.LoadRaw()
	}
	if r.When == nil {
		return expression.True, 0, nil
	}
	if r.When.Facts() == 0 {
		ok, err := r.When.Bool(e)
		return expression.TruthOf(ok), 0, err
	}
	return r.When.Truth(e, e.Unknown())
}

// match makes the match of a rule whose condition holds.
func (r *Compiled) match(e *events.Event) (Match, error) {
	vars, err := r.vars(e)
	if err != nil {
		return Match{}, err
	}
	m := Match{Rule: r.Rule, Event: e, Vars: vars}
	m.Endpoints, m.Refused = r.endpoints(e)
	return m, nil
}

// vars evaluates the rule's variables in order; each sees those before it.
func (r *Compiled) vars(e *events.Event) (map[string]any, error) {
	if len(r.Vars) == 0 {
		return nil, nil
	}
	vars := make(map[string]any, len(r.Vars))
	env := expression.Env(e, map[string]any{"vars": vars})
	for i, p := range r.Vars {
		v, err := p.Eval(env)
		if err != nil {
			return nil, &partError{"vars." + r.Rule.Vars[i].Name, err}
		}
		vars[r.Rule.Vars[i].Name] = v
	}
	return vars, nil
}

// endpoints are those that the rule may act on, or the reason why there is none.
// An event of which several sensors are known acts only where the rule says
// each, and never on a part of them: more than max is a mistake of the rule.
func (r *Rule) endpoints(e *events.Event) ([]edr.Endpoint, string) {
	if why := r.tooOld(e.Event.Time, e.Event.Age); why != "" {
		return nil, why
	}
	ids := e.Sensor.IDs
	if len(ids) == 0 && e.Sensor.ID != "" {
		ids = []string{e.Sensor.ID}
	}
	switch named := e.Sensor.Named(); {
	case named > 1 && (r.Sensors == nil || !r.Sensors.Each):
		return nil, SeveralSensors
	case named > 1 && r.Sensors.Max > 0 && named > r.Sensors.Max:
		return nil, TooManySensors
	case len(ids) == 0 && named > 1:
		return nil, SeveralSensors // by name; whose rule is asked about each has one each
	case len(ids) == 0:
		return nil, NoSensor
	}
	all := make([]edr.Endpoint, len(ids))
	for i, id := range ids {
		all[i] = edr.Endpoint{Server: e.Sensor.Server, ID: id}
	}
	return all, ""
}
