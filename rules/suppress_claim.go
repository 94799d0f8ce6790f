package rules

import (
	"slices"
	"time"
)

// claim is the answer that a job got for a key.
type claim struct {
	Job     string    `json:"job"`
	At      time.Time `json:"at"`
	Pending bool      `json:"pending,omitempty"` // its event is not settled yet, and may come again
	Denied  *denial   `json:"denied,omitempty"`  // nil: the job may act
}

// denial is why a job may not act.
type denial struct {
	By    string    `json:"by"`    // the job that acted
	Until time.Time `json:"until"` // when the next one may
}

// maxClaims bounds the answers that are kept of one key; the oldest denials go first.
const maxClaims = 1000

func (c claim) answer() Suppression {
	if c.Denied == nil {
		return Suppression{}
	}
	return Suppression{Suppressed: true, Until: c.Denied.Until, By: c.Denied.By}
}

// acts reports whether the job counts for later ones.
func (c claim) acts(now time.Time, lasts time.Duration) bool {
	return c.Denied == nil && now.Before(c.At.Add(lasts))
}

// over reports whether nothing depends on the claim any more.
func (c claim) over(now time.Time, lasts time.Duration) bool {
	return !c.Pending && !c.acts(now, lasts)
}

// decideClaim gives a job the answer that it has, or else a new one, which is added.
func decideClaim(claims []claim, job string, now time.Time, lasts time.Duration, count int) (_ []claim, _ Suppression, added bool) {
	if i := slices.IndexFunc(claims, func(c claim) bool { return c.Job == job }); i >= 0 {
		settled := !claims[i].Pending // its acknowledgement was lost: it is here again
		claims[i].Pending = true
		return claims, claims[i].answer(), settled
	}
	var kept, acting []claim
	for _, c := range claims {
		if !c.over(now, lasts) {
			kept = append(kept, c)
		}
		if c.acts(now, lasts) {
			acting = append(acting, c)
		}
	}
	c := claim{Job: job, At: now, Pending: true}
	if len(acting) >= count {
		c.Denied = &denial{By: acting[len(acting)-1].Job, Until: acting[0].At.Add(lasts)}
	}
	if len(kept) >= maxClaims {
		oldest := max(0, slices.IndexFunc(kept, func(c claim) bool { return c.Denied != nil }))
		kept = slices.Delete(kept, oldest, oldest+1)
	}
	return append(kept, c), c.answer(), true
}

// settleClaim notes that the job's event does not come again, and reports whether that is
// new.
func settleClaim(claims []claim, job string) bool {
	i := slices.IndexFunc(claims, func(c claim) bool { return c.Job == job && c.Pending })
	if i < 0 {
		return false
	}
	claims[i].Pending = false
	return true
}
