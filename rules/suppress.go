package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/seal"
)

// Suppressor decides whether a rule may act, having acted for the same key
// before. Its answer for one job id is always the same while the key lives, so
// that a redelivered event, whose job was perhaps not stored before a crash, is
// not suppressed by itself.
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
}

// claim is a job that acted for a key.
type claim struct {
	Job string    `json:"job"`
	At  time.Time `json:"at"`
}

// Ask is the question whether a match may act on an endpoint, as the job with the
// given id.
type Ask struct {
	Set      *Set
	Match    *Match
	Endpoint edr.Endpoint
	Job      string
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
	keys := map[string]*keyed{}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, a := range asks {
		k, err := a.keyed(s.Several)
		if err != nil || k == nil {
			answers[i].Err = err
			continue
		}
		if keys[k.key] == nil {
			keys[k.key] = k
		}
		keys[k.key].asks = append(keys[k.key].asks, i)
	}
	for _, k := range keys {
		g.Go(func() error { s.decide(ctx, k, asks, answers); return nil })
	}
	_ = g.Wait() // each answer has its own error
	return answers
}

// keyed is the questions about one key: indexes of a list.
type keyed struct {
	key   string
	lasts time.Duration
	count int
	asks  []int
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
	var err error
	if k.key, err = r.suppressionKey(a.Match, a.Endpoint, several); err != nil {
		return nil, failure(r, a.Match.Event, err)
	}
	return k, nil
}

// errNothingNew leaves a record as it is.
var errNothingNew = errors.New("nothing new")

// decide answers the questions about one key. That somebody is suppressed is not
// written down.
func (s *Suppressor) decide(ctx context.Context, k *keyed, asks []Ask, answers []Answer) {
	err := s.State.Update(ctx, k.key, k.lasts, func(data []byte) ([]byte, error) {
		var claims []claim
		if data != nil {
			if err := seal.Strict(data, &claims); err != nil {
				return nil, fmt.Errorf("record of suppression %s: %w: %w", k.key, seal.ErrForeign, err)
			}
		}
		more := false
		for _, i := range k.asks {
			var added bool
			claims, answers[i].Suppression, added = decideClaim(claims, asks[i].Job, s.now(), k.lasts, k.count)
			more = more || added
		}
		if !more {
			return nil, errNothingNew
		}
		return json.Marshal(claims)
	})
	if errors.Is(err, errNothingNew) {
		err = nil
	}
	for _, i := range k.asks {
		if errors.Is(err, seal.ErrForeign) {
			answers[i].Suppression = Suppression{Suppressed: true, Foreign: err}
			continue
		}
		answers[i].Err = err
	}
}

// decideClaim adds a job to the claims of a key unless there are enough.
func decideClaim(claims []claim, job string, now time.Time, lasts time.Duration, count int) (_ []claim, _ Suppression, added bool) {
	var live []claim
	for _, c := range claims {
		if c.Job == job {
			return claims, Suppression{}, false
		}
		if now.Before(c.At.Add(lasts)) {
			live = append(live, c)
		}
	}
	if len(live) < count {
		return append(live, claim{job, now}), Suppression{}, true
	}
	return live, Suppression{Suppressed: true, Until: live[0].At.Add(lasts), By: live[len(live)-1].Job}, false
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
	env := expression.Env(m.Event, map[string]any{"vars": m.Vars})
	for _, p := range r.Key {
		v, err := p.Eval(env)
		if err != nil {
			return "", &partError{"suppress.key", err}
		}
		parts = append(parts, v)
	}
	return stateKey("suppress", append(parts, place(several, false, m.Event, r.Key)...)...), nil
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
