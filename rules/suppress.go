package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// Suppressor decides whether a rule may act, having acted for the same key
// before. Its answer for one job id is always the same while the key lives, so
// that a redelivered event, whose job was perhaps not stored before a crash, is
// not suppressed by itself.
type Suppressor struct {
	State State
	Now   func() time.Time // nil: time.Now
}

// Suppression is the answer to one claim.
type Suppression struct {
	Suppressed bool
	Until      time.Time // when the next job may act; set where Suppressed
	By         string    // id of the latest job that acted; set where Suppressed
}

// claim is a job that acted for a key.
type claim struct {
	Job string    `json:"job"`
	At  time.Time `json:"at"`
}

// Claim asks to act on a sensor for a match, as the job with the given id. An
// error means that nothing was decided: ask again. A Failure means that the
// rule's key could not be evaluated.
func (s *Suppressor) Claim(ctx context.Context, set *Set, m *Match, sensor int, job string) (Suppression, error) {
	r, ok := set.Rule(m.Rule.ID)
	if !ok {
		return Suppression{}, fmt.Errorf("rule %s is not in the set", m.Rule.ID)
	}
	lasts, count := DefaultSuppression, 1
	if sup := r.Suppress; sup != nil {
		lasts, count = sup.For, max(1, sup.Count)
	}
	if lasts <= 0 {
		return Suppression{}, nil
	}
	key, err := r.suppressionKey(m, sensor)
	if err != nil {
		return Suppression{}, failure(r, m.Event, err)
	}
	var answer Suppression
	err = s.State.Update(ctx, key, lasts, func(data []byte) ([]byte, error) {
		var claims []claim
		if data != nil {
			if err := json.Unmarshal(data, &claims); err != nil {
				return nil, fmt.Errorf("record of suppression %s: %w", key, err)
			}
		}
		claims, answer = decideClaim(claims, job, s.now(), lasts, count)
		return json.Marshal(claims)
	})
	return answer, err
}

// decideClaim adds a job to the claims of a key unless there are enough.
func decideClaim(claims []claim, job string, now time.Time, lasts time.Duration, count int) ([]claim, Suppression) {
	var live []claim
	for _, c := range claims {
		if c.Job == job {
			return claims, Suppression{}
		}
		if now.Before(c.At.Add(lasts)) {
			live = append(live, c)
		}
	}
	if len(live) < count {
		return append(live, claim{job, now}), Suppression{}
	}
	return live, Suppression{Suppressed: true, Until: live[0].At.Add(lasts), By: live[len(live)-1].Job}
}

func (s *Suppressor) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// suppressionKey is what the rule acts for: the values of its own expressions,
// or the sensor and the event's subject.
func (r *Compiled) suppressionKey(m *Match, sensor int) (string, error) {
	if len(r.Key) == 0 {
		return stateKey("suppress", r.ID, sensor, Subject(m.Event)), nil
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
	return stateKey("suppress", parts...), nil
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
