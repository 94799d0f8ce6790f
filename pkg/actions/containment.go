package actions

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"edrpipe/pkg/edr"
)

// Containment is who wants an endpoint isolated, or a hash banned. The state is
// released when the last reason is gone, and never where it was so before us.
type Containment struct {
	Key     string   `json:"key"`             // isolate hq/42, ban hq/<md5>
	Found   bool     `json:"found,omitempty"` // it was so before the first reason: somebody else's, never released by us
	Reasons []Reason `json:"reasons,omitempty"`
}

// Reason is one wish for a containment. Its job and step are its identity.
type Reason struct {
	Job     string    `json:"job"`
	Step    string    `json:"step"`
	Rule    string    `json:"rule,omitempty"`
	By      string    `json:"by,omitempty"` // the person who submitted the job
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"`    // when it is undone; zero: when a person says so
	Changed bool      `json:"changed,omitempty"` // the step brought the state about
}

// String names the owner of the reason.
func (r Reason) String() string {
	return fmt.Sprintf("%s, job %s", cmp.Or(r.Rule, r.By, "a person"), r.Job)
}

// IsolationKey is the key of the isolation of an endpoint.
func IsolationKey(at edr.Endpoint) string { return "isolate " + at.String() }

// Ledger keeps containments, durably and for all replicas.
type Ledger interface {
	// Update changes a record by compare-and-set and returns what was written. change
	// may be called several times; a record
	// without reasons and without Found may be removed.
	Update(ctx context.Context, key string, change func(*Containment) error) (Containment, error)
}

// maxReasons bounds a record.
const maxReasons = 1000

// contained is a state of the server that several may want.
type contained struct {
	key  string
	is   func(ctx context.Context) (on, ending bool, err error) // as the server says; on: requested or real, ending: its release is under way
	set  func(ctx context.Context, want bool) error             // requests the state of the server
	wait func(ctx context.Context, want bool) error             // until it is so
}

// contain adds the job's reason and brings the state about. changed reports
// whether the step did so: the state was another before.
func (t *Task) contain(ctx context.Context, c contained) (changed bool, err error) {
	was, _, err := c.is(ctx)
	if err != nil {
		return false, err
	}
	mine := Reason{Job: t.Job.ID, Step: t.Job.Step, Rule: t.Job.Rule, By: t.By, Since: t.Now(), Until: t.Until, Changed: !was}
	added := false
	_, err = t.ledger(ctx, c.key, func(l *Containment) error {
		added = false
		if i := slices.IndexFunc(l.Reasons, mine.same); i >= 0 { // an earlier attempt of this step
			mine = l.Reasons[i]
			return nil
		}
		if len(l.Reasons) >= maxReasons {
			return fmt.Errorf("%s: %d others want it already, which is the limit", c.key, len(l.Reasons))
		}
		if len(l.Reasons) == 0 {
			l.Found = was
		}
		l.Reasons = append(l.Reasons, mine)
		added = true
		return nil
	})
	if err != nil {
		return false, err
	}
	if err := c.set(ctx, true); err != nil {
		if added { // nothing was asked for: there is nothing to undo
			_, _ = t.ledger(context.WithoutCancel(ctx), c.key, func(l *Containment) error {
				l.Reasons = slices.DeleteFunc(l.Reasons, mine.same)
				return nil
			})
		}
		return false, err
	}
	return mine.Changed, c.wait(ctx, true)
}

func (r Reason) same(other Reason) bool { return r.Job == other.Job && r.Step == other.Step }

// release takes reasons away: of an undo its own, of a rule's step those of that
// rule, of a person all. The state ends when none is left. kept names who still
// wants it, or that it was so before us.
func (t *Task) release(ctx context.Context, c contained) (changed bool, kept []string, err error) {
	left, err := t.ledger(ctx, c.key, func(l *Containment) error {
		if t.person() {
			l.Found = false
		}
		l.Reasons = slices.DeleteFunc(l.Reasons, t.dropped)
		return nil
	})
	if err != nil {
		return false, nil, err
	}
	on, ending, err := c.is(ctx)
	if err != nil {
		return false, nil, err
	}
	if kept = stillWanted(left); len(kept) > 0 {
		t.Log.Info().Strs("wanted_by", kept).Msgf("%s stays in force: others want it", c.key)
		return false, kept, nil
	}
	if !on { // released by other hands, or by an earlier attempt that is under way
		if !ending {
			t.Log.Warn().Msgf("%s had been released by other hands: nothing was left to undo", c.key)
		}
		return ending, nil, c.wait(ctx, false)
	}
	if err := c.set(ctx, false); err != nil {
		return false, nil, err
	}
	// Another job may have added its reason while the request was on its way.
	if now, err := t.ledger(ctx, c.key, func(*Containment) error { return nil }); err != nil || len(now.Reasons) > 0 {
		if err == nil {
			err = c.set(ctx, true)
		}
		return false, stillWanted(now), err
	}
	return true, nil, c.wait(ctx, false)
}

// stillWanted names what keeps a containment up.
func stillWanted(l Containment) []string {
	kept := []string{}
	for _, r := range l.Reasons {
		kept = append(kept, r.String())
	}
	if l.Found {
		kept = append(kept, "it was so before")
	}
	return kept
}

// dropped reports whether the step takes the reason away.
func (t *Task) dropped(r Reason) bool {
	switch {
	case t.Undoes != nil:
		return r.Job == t.Undoes.Job && r.Step == t.Undoes.Step
	case t.person():
		return true
	}
	return r.Rule == t.Job.Rule
}

// person reports whether a person asks for exactly this: not a rule, not an undo.
func (t *Task) person() bool { return t.Undoes == nil && t.Job.Rule == "" }

// ledger updates the record. Without a ledger there is none, and each step stands
// for itself.
func (t *Task) ledger(ctx context.Context, key string, change func(*Containment) error) (Containment, error) {
	if t.Ledger == nil {
		l := Containment{Key: key}
		return l, change(&l)
	}
	l, err := t.Ledger.Update(ctx, key, change)
	if err != nil {
		return l, fmt.Errorf("containment ledger, %s: %w", key, err)
	}
	return l, nil
}
