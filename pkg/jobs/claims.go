package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/run"
)

// Errors of claims.
var (
	errElsewhere = errors.New("another replica works on the sensor")
	errGroupBusy = errors.New("a job of the same concurrency group runs")
)

// An owner that has not renewed for stopAfter beats stops by itself; others take
// over once they have watched its heartbeat stand still for takeAfter beats.
const (
	stopAfter = 3
	takeAfter = 4
)

// claims is this replica's part in the slot table.
type claims struct {
	store TableStore
	owner string
	beat  time.Duration

	writing chan struct{} // holds one: one change at a time leaves this replica

	mu       sync.Mutex
	table    Table // as last seen
	revision uint64
	mine     map[edr.Endpoint]uint64 // epoch of the claims that work is done under
	renewed  time.Time               // when our latest successful change was begun
	seen     map[string]sighting
}

// sighting is an owner's heartbeat and when we first saw it, by our own clock.
type sighting struct {
	beat uint64
	at   time.Time
}

func newClaims(store TableStore, owner string, beat time.Duration) *claims {
	return &claims{
		store: store, owner: owner, beat: beat, writing: make(chan struct{}, 1), table: Table{}.Clone(),
		mine: map[edr.Endpoint]uint64{}, seen: map[string]sighting{},
	}
}

// change applies f to the table by compare-and-set. f may be called several times.
func (c *claims) change(ctx context.Context, f func(t *Table) error) error {
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-ctx.Done():
		return fmt.Errorf("write the slot table: %w", context.Cause(ctx))
	}
	for {
		begun := time.Now()
		t, revision := c.current()
		if err := f(&t); err != nil {
			return err
		}
		t.Beats[c.owner]++
		dropIdle(&t)
		next, err := c.store.Save(ctx, t, revision)
		switch {
		case err == nil:
			c.observe(t, next, begun)
			return nil
		case !errors.Is(err, ErrConflict):
			return fmt.Errorf("write the slot table: %w", err)
		}
		if err := c.load(ctx); err != nil {
			return err
		}
	}
}

// dropIdle forgets the heartbeats of owners without claims.
func dropIdle(t *Table) {
	busy := map[string]bool{}
	for _, cl := range t.Claims {
		busy[cl.Owner] = true
	}
	for owner := range t.Beats {
		if !busy[owner] {
			delete(t.Beats, owner)
		}
	}
}

func (c *claims) current() (Table, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table.Clone(), c.revision
}

func (c *claims) load(ctx context.Context) error {
	t, revision, err := c.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("read the slot table: %w", err)
	}
	c.observe(t, revision, time.Time{})
	return nil
}

// observe takes a table as the current one and notes whose heart still beats.
func (c *claims) observe(t Table, revision uint64, renewed time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table, c.revision = t, revision
	if !renewed.IsZero() {
		c.renewed = renewed
	}
	now := time.Now()
	for _, cl := range t.Claims {
		beat := t.Beats[cl.Owner]
		if s, ok := c.seen[cl.Owner]; !ok || s.beat != beat {
			c.seen[cl.Owner] = sighting{beat, now}
		}
	}
	for owner := range c.seen {
		if _, ok := t.Beats[owner]; !ok {
			delete(c.seen, owner)
		}
	}
}

// left reports whether the claim is abandoned: it is our own from before a crash, or its
// owner's heartbeat has stopped. c.mu is held.
func (c *claims) left(sensor edr.Endpoint, cl Claim) bool {
	if cl.Owner == c.owner {
		return c.mine[sensor] != cl.Epoch
	}
	s, ok := c.seen[cl.Owner]
	return ok && time.Since(s.at) >= takeAfter*c.beat
}

// leftovers returns the sensors whose claims can be taken over.
func (c *claims) leftovers() []edr.Endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sensors []edr.Endpoint
	for sensor, cl := range c.table.Claims {
		if c.left(sensor, cl) {
			sensors = append(sensors, sensor)
		}
	}
	return sensors
}

// elsewhere reports whether another replica works on the sensor.
func (c *claims) elsewhere(sensor edr.Endpoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl, ok := c.table.Claims[sensor]
	return ok && !c.left(sensor, cl)
}

// slots counts the slots that all replicas hold.
func (c *claims) slots() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table.Slots()
}

// claimed is the sessions of all replicas: those with a known id, and the sensors
// on which one is being opened.
type claimed struct {
	ids     map[string]bool
	opening map[string]bool // ids of sensors
}

func (c claimed) has(info edr.SessionInfo) bool {
	return c.ids[info.ID] || c.opening[info.SensorID]
}

func (c *claims) sessions() claimed {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := claimed{map[string]bool{}, map[string]bool{}}
	for sensor, cl := range c.table.Claims {
		if cl.Session != "" {
			all.ids[string(cl.Session)] = true
		}
		if cl.Opening != 0 {
			all.opening[sensor.ID] = true
		}
	}
	return all
}

// take claims a sensor, with a slot if required and fewer than limit are held. was is
// the claim of a dead owner, whose session has to be closed first.
func (c *claims) take(ctx context.Context, sensor edr.Endpoint, slot bool, limit int) (cl, was Claim, err error) {
	err = c.change(ctx, func(t *Table) error {
		old, held := t.Claims[sensor]
		c.mu.Lock()
		left := c.left(sensor, old)
		c.mu.Unlock()
		switch {
		case held && !left:
			return errElsewhere
		case slot && !old.Slot && t.Slots() >= limit:
			return run.ErrNoSlot
		}
		t.Epoch++
		was, cl = old, old
		cl.Owner, cl.Epoch, cl.Slot = c.owner, t.Epoch, slot || old.Slot
		cl.Job, cl.Group = "", ""
		t.Claims[sensor] = cl
		return nil
	})
	if err != nil {
		return Claim{}, Claim{}, err
	}
	c.mu.Lock()
	c.mine[sensor] = cl.Epoch
	c.mu.Unlock()
	return cl, was, nil
}

// set changes our claim on a sensor.
func (c *claims) set(ctx context.Context, sensor edr.Endpoint, epoch uint64, edit func(t *Table, cl *Claim) error) error {
	return c.change(ctx, func(t *Table) error {
		cl := t.Claims[sensor]
		if cl.Owner != c.owner || cl.Epoch != epoch {
			return run.ErrFenced
		}
		if err := edit(t, &cl); err != nil {
			return err
		}
		t.Claims[sensor] = cl
		return nil
	})
}

// release gives the sensor and its slot back.
func (c *claims) release(ctx context.Context, sensor edr.Endpoint, epoch uint64) error {
	defer c.abandon(sensor, epoch)
	return c.change(ctx, func(t *Table) error {
		if cl := t.Claims[sensor]; cl.Owner != c.owner || cl.Epoch != epoch {
			return run.ErrFenced
		}
		delete(t.Claims, sensor)
		return nil
	})
}

// abandon ends work under a claim that stays in the table, to be taken over by
// us or by others.
func (c *claims) abandon(sensor edr.Endpoint, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mine[sensor] == epoch {
		delete(c.mine, sensor)
	}
}

// valid is the check at the moment of acting: run.ErrFenced unless the claim is ours
// and was renewed within the time before which no other replica takes it over.
func (c *claims) valid(sensor edr.Endpoint, epoch uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl := c.table.Claims[sensor]
	if c.mine[sensor] != epoch || cl.Epoch != epoch || time.Since(c.renewed) >= stopAfter*c.beat {
		return run.ErrFenced
	}
	return nil
}

// renew bumps our heartbeat and looks at those of others.
func (c *claims) renew(ctx context.Context) error {
	if err := c.load(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	_, claimed := c.table.Beats[c.owner]
	c.mu.Unlock()
	if !claimed {
		return nil
	}
	return c.change(ctx, func(*Table) error { return nil })
}
