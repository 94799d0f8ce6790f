package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/seal"
	"edrpipe/pkg/shares"
)

// Suppressor decides whether a rule may act, having acted for the same key
// before. Its answer for one job id is always the same until Settled says that the
// job's event does not come again: a redelivered event, whose job was perhaps not
// stored before a crash, is neither suppressed by a later one nor acts where it was
// suppressed at first.
type Suppressor struct {
	State State
	Now   func() time.Time // nil: time.Now

	Several bool // several servers are configured: keys keep them apart
}

// Suppression is the answer to one claim.
type Suppression struct {
	Suppressed bool
	Until      time.Time // when the next job may act; set where Suppressed
	By         string    // id of the latest job that acted; set where Suppressed
	Foreign    error     // the record does not verify: it is not known whether a job acted, so this one does not; set where Suppressed
	// Full is why the key has no record of its own. It was answered together with all such
	// keys of the rule for events of the endpoint, so that no job acts twice; where they
	// have no record either, the job is suppressed and By is empty.
	Full *shares.Full
}

// Ask is the question whether a match may act on an endpoint, as the job with the
// given id.
type Ask struct {
	Set      *Set
	Match    *Match
	Endpoint edr.Endpoint
	Job      string
	Together bool // of Settled: the answer had Full set
	Void     bool // of Settled: the job is not made after all, so it suppresses no other
}

// Answer is the answer to an Ask. An error means that nothing was decided: ask
// again; a Failure, that the rule's key could not be evaluated.
type Answer struct {
	Suppression
	Err error
}

// Claim answers one question.
func (s *Suppressor) Claim(ctx context.Context, a Ask) (Suppression, error) {
	answer := s.ClaimAll(ctx, []Ask{a})[0]
	return answer.Suppression, answer.Err
}

// atOnce is how many keys are asked about at the same time.
const atOnce = 128

// ClaimAll answers questions that come together. Those about one key are decided in
// their order, by one change of its record; each key is asked about by itself, all at
// the same time, so that a storm costs the state's answers once and not for each.
func (s *Suppressor) ClaimAll(ctx context.Context, asks []Ask) []Answer {
	answers := make([]Answer, len(asks))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, k := range s.byKey(asks, func(i int, err error) { answers[i].Err = err }) {
		g.Go(func() error { s.decide(ctx, k, asks, answers); return nil })
	}
	_ = g.Wait() // each answer has its own error
	return answers
}

// byKey sorts questions by the keys that they are about; failed is called with those
// whose key cannot be evaluated.
func (s *Suppressor) byKey(asks []Ask, failed func(i int, err error)) map[string]*keyed {
	keys := map[string]*keyed{}
	for i, a := range asks {
		k, err := a.keyed(s.Several)
		switch {
		case err != nil:
			failed(i, err)
			continue
		case k == nil:
			continue
		case keys[k.record.Key] == nil:
			keys[k.record.Key] = k
		}
		keys[k.record.Key].asks = append(keys[k.record.Key].asks, i)
	}
	return keys
}

// keyed is the questions about one key: indexes of a list.
type keyed struct {
	record shares.Record
	lasts  time.Duration
	count  int
	asks   []int
}

// keyed is the key that the question is about; nil: the rule suppresses nothing.
func (a *Ask) keyed(several bool) (*keyed, error) {
	r, ok := a.Set.Rule(a.Match.Rule.ID)
	if !ok {
		return nil, fmt.Errorf("rule %s is not in the set", a.Match.Rule.ID)
	}
	k := &keyed{lasts: DefaultSuppression, count: 1}
	if sup := r.Suppress; sup != nil {
		k.lasts, k.count = sup.For, max(1, sup.Count)
	}
	if k.lasts <= 0 {
		return nil, nil
	}
	owner := ownerOf(shares.Suppression, r.ID, a.Match.Event)
	if a.Together {
		k.record = crowd("suppress", owner)
		return k, nil
	}
	key, err := r.suppressionKey(a.Match, a.Endpoint, several)
	if err != nil {
		return nil, failure(r, a.Match.Event, err)
	}
	k.record = shares.Record{Key: key, Owner: owner}
	return k, nil
}

// errNothingNew leaves a record as it is.
var errNothingNew = errors.New("nothing new")

// decide answers the questions about one key. Where it is new and the endpoint of the
// first question has no room for it, that of another may have.
func (s *Suppressor) decide(ctx context.Context, k *keyed, asks []Ask, answers []Answer) {
	var full *shares.Full
	if err := s.claim(ctx, k, asks, answers); !errors.As(err, &full) {
		k.answer(answers, err)
		return
	}
	for _, k := range k.byOwner(asks) {
		err := s.claim(ctx, k, asks, answers)
		if errors.As(err, &full) {
			err = s.decideTogether(ctx, k, full, asks, answers)
		}
		k.answer(answers, err)
	}
}

// claim answers the questions by one change of the key's record.
func (s *Suppressor) claim(ctx context.Context, k *keyed, asks []Ask, answers []Answer) error {
	return s.update(ctx, k.record, pendingFor, func(claims []claim) (_ []claim, changed bool) {
		for _, i := range k.asks {
			var added bool
			claims, answers[i].Suppression, added = decideClaim(claims, asks[i].Job, s.now(), k.lasts, k.count)
			changed = changed || added
		}
		return claims, changed
	})
}

// answer completes the answers with how their claim has ended.
func (k *keyed) answer(answers []Answer, err error) {
	for _, i := range k.asks {
		if errors.Is(err, seal.ErrForeign) {
			answers[i].Suppression = Suppression{Suppressed: true, Foreign: err}
			continue
		}
		answers[i].Err = err
	}
}

// Settled ends the memory of answers whose events do not come again.
func (s *Suppressor) Settled(ctx context.Context, asks []Ask) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, k := range s.byKey(asks, func(int, error) {}) { // a key that cannot be evaluated has no answer
		g.Go(func() error { return s.settle(ctx, k, asks) })
	}
	return g.Wait()
}

func (s *Suppressor) settle(ctx context.Context, k *keyed, asks []Ask) error {
	left := false
	settle := func(claims []claim) (_ []claim, changed bool) {
		for _, i := range k.asks {
			changed = settleClaim(claims, asks[i].Job) || changed
			if asks[i].Void {
				claims = slices.DeleteFunc(claims, func(c claim) bool { return c.Job == asks[i].Job })
			}
		}
		claims = slices.DeleteFunc(claims, func(c claim) bool { return c.over(s.now(), k.lasts) })
		left = slices.ContainsFunc(claims, func(c claim) bool { return c.Pending })
		return claims, changed
	}
	err := s.update(ctx, k.record, k.lasts, func(claims []claim) (_ []claim, changed bool) {
		claims, changed = settle(claims)
		return claims, changed && !left
	})
	if err == nil && left { // others of the key are kept for as long as before
		err = s.update(ctx, k.record, pendingFor, settle)
	}
	return err
}

// update changes the claims of a key, unless change reports that there is nothing new.
func (s *Suppressor) update(ctx context.Context, r shares.Record, keep time.Duration, change func([]claim) ([]claim, bool)) error {
	err := s.State.Update(ctx, r, keep, func(data []byte) ([]byte, error) {
		var claims []claim
		if data != nil {
			if err := seal.Strict(data, &claims); err != nil {
				return nil, fmt.Errorf("record of suppression %s: %w: %w", r.Key, seal.ErrForeign, err)
			}
		}
		claims, changed := change(claims)
		if !changed {
			return nil, errNothingNew
		}
		if len(claims) == 0 {
			return nil, nil
		}
		return json.Marshal(claims)
	})
	if errors.Is(err, errNothingNew) {
		return nil
	}
	return err
}

func (s *Suppressor) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// suppressionKey is what the rule acts for: the values of its own expressions,
// or the endpoint and the event's subject.
func (r *Compiled) suppressionKey(m *Match, endpoint edr.Endpoint, several bool) (string, error) {
	if len(r.Key) == 0 {
		return stateKey("suppress", r.ID, endpoint.String(), Subject(m.Event)), nil
	}
	parts := []any{r.ID, "own"}
	e := m.Event
	if e.Sensor.ID == "" && e.Sensor.Named() > 1 { // of a correlation; others have an event for each endpoint
		one := *e
		one.Sensor.ID, e = endpoint.ID, &one
	}
	env := expression.Env(e, map[string]any{"vars": m.Vars})
	for _, p := range r.Key {
		v, err := p.Eval(env)
		if err != nil {
			return "", &partError{"suppress.key", err}
		}
		parts = append(parts, v)
	}
	return stateKey("suppress", append(parts, place(several, false, e, r.Key)...)...), nil
}

// Subject is what an event is about, the same for its twins: the process or else
// the binary, and the watchlist or the feed's report that matched. Empty for
// events about nothing but the sensor.
func Subject(e *events.Event) string {
	subject := e.Process.GUID
	for _, hash := range []string{e.Binary.MD5, e.Binary.SHA256, e.Process.MD5, e.Process.SHA256} {
		if subject == "" {
			subject = hash
		}
	}
	switch {
	case e.Watchlist.ID > 0 || e.Watchlist.Name != "":
		subject += fmt.Sprintf("|watchlist %d %s", e.Watchlist.ID, nameUnlessID(e.Watchlist.ID, e.Watchlist.Name))
	case e.Feed.ID > 0:
		subject += fmt.Sprintf("|feed %d %s", e.Feed.ID, e.Feed.ReportID)
	}
	return subject
}

// nameUnlessID is the name where there is no number to tell watchlists apart by.
func nameUnlessID(id int64, name string) string {
	if id > 0 {
		return ""
	}
	return name
}
