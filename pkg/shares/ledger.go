package shares

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// Ledger counts the records that there are, by owner. It takes about 100 bytes a record.
// It is safe for concurrent use.
type Ledger struct {
	limits Limits
	now    func() time.Time

	mu       sync.Mutex
	entries  map[id]entry
	rules    map[string]int
	points   map[string]int
	owners   map[Owner]*account
	together int
	swept    time.Time
	crowded  map[Owner]Crowded
}

// id stands for a key, so that keys of any length take the same room.
type id [16]byte

type entry struct {
	of       *account
	until    int64 // seconds since 1970, when it expires; 0: it does not
	together bool
	reserved bool // it is being written
}

// account is the records of one owner.
type account struct {
	Owner
	records, together int
}

// Crowded is an owner whose share was used up.
type Crowded struct {
	Full
	At time.Time // when a new record was refused last
}

const (
	sweepEvery = 5 * time.Second
	late       = 5 // seconds that clocks may be apart
	maxCrowded = 1000
)

// NewLedger makes an empty ledger. now may be nil: time.Now.
func NewLedger(l Limits, now func() time.Time) *Ledger {
	if now == nil {
		now = time.Now
	}
	g := &Ledger{limits: l.WithDefaults(), now: now, crowded: map[Owner]Crowded{}}
	g.Reset()
	return g
}

// Limits are those in force.
func (g *Ledger) Limits() Limits { return g.limits }

// Reset forgets all records.
func (g *Ledger) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entries, g.rules, g.points, g.owners, g.together = map[id]entry{}, map[string]int{}, map[string]int{}, map[Owner]*account{}, 0
}

// Reserve counts a record that is about to be written. One that is known already has its
// room. The error is a *Full. A write that failed is to be followed by Release.
func (g *Ledger) Reserve(r Record, until time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := hash(r.Key)
	if e, known := g.entries[at]; known && !e.expired(g.now()) {
		return nil
	}
	full := g.full(r)
	if full != nil && g.sweep() {
		full = g.full(r)
	}
	if full != nil {
		g.note(*full)
		return full
	}
	g.put(at, r, until, true)
	return nil
}

// Release takes back what Reserve has counted, unless the record was seen since.
func (g *Ledger) Release(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, known := g.entries[hash(key)]; known && e.reserved {
		g.remove(hash(key))
	}
}

// See counts a record that exists, or notes that it was written anew.
func (g *Ledger) See(r Record, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.put(hash(r.Key), r, until, false)
}

// Gone ends the count of a record.
func (g *Ledger) Gone(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(hash(key))
}

// Owner returns on whose account a record is kept, where it is known.
func (g *Ledger) Owner(key string) (o Owner, together, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, known := g.entries[hash(key)]
	if !known {
		return Owner{}, false, false
	}
	return e.of.Owner, e.together, true
}

// Records is the number of records.
func (g *Ledger) Records() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.entries)
}

// Crowded lists the owners for which a new record was refused since a time, the latest
// first.
func (g *Ledger) Crowded(since time.Time) (all []Crowded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.crowded {
		if !c.At.Before(since) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Crowded) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Use, b.Use))
	})
	return all
}

// full is why there is no room for a record; nil: there is.
func (g *Ledger) full(r Record) *Full {
	l := g.limits
	refuse := func(b Bound, limit int) *Full { return &Full{Owner: r.Owner, Bound: b, Limit: limit} }
	if r.Together { // as many again would be needed for every rule and endpoint at once
		if len(g.entries) >= l.Records+l.Records/10+1 {
			return refuse(InAll, l.Records+l.Records/10+1)
		}
		return nil
	}
	own := g.owners[r.Owner]
	switch {
	case own != nil && own.together > 0:
		return refuse(AlreadyTogether, 0)
	case len(g.entries)-g.together >= l.Records:
		return refuse(InAll, l.Records)
	case r.Owner == Owner{}:
		return nil
	case own != nil && own.records >= l.Share:
		return refuse(OfShare, l.Share)
	case g.points[r.Owner.Endpoint] >= l.Endpoint:
		return refuse(OfEndpoint, l.Endpoint)
	case g.rules[r.Owner.Rule] >= l.Rule:
		return refuse(OfRule, l.Rule)
	}
	return nil
}

// put counts a record in the place of what was known of it.
func (g *Ledger) put(at id, r Record, until time.Time, reserved bool) {
	g.remove(at)
	a := g.owners[r.Owner]
	if a == nil {
		a = &account{Owner: r.Owner}
		g.owners[r.Owner] = a
	}
	e := entry{of: a, together: r.Together, reserved: reserved}
	if !until.IsZero() {
		e.until = until.Unix() + 1
	}
	g.entries[at] = e
	g.add(e, 1)
}

func (g *Ledger) remove(at id) {
	e, known := g.entries[at]
	if !known {
		return
	}
	delete(g.entries, at)
	g.add(e, -1)
	if e.of.records == 0 && e.of.together == 0 {
		delete(g.owners, e.of.Owner)
	}
}

func (g *Ledger) add(e entry, n int) {
	if e.together {
		e.of.together += n
		g.together += n
		return
	}
	e.of.records += n
	count(g.rules, e.of.Rule, n)
	count(g.points, e.of.Endpoint, n)
}

func count(counts map[string]int, name string, n int) {
	if counts[name] += n; counts[name] == 0 {
		delete(counts, name)
	}
}

// sweep removes what has expired, now and then, and reports whether it did. The bus says
// so too, unless this replica was cut off from it meanwhile.
func (g *Ledger) sweep() bool {
	now := g.now()
	if now.Sub(g.swept).Abs() < sweepEvery {
		return false
	}
	g.swept = now
	for at, e := range g.entries {
		if e.expired(now) {
			g.remove(at)
		}
	}
	return true
}

func (e entry) expired(now time.Time) bool { return e.until > 0 && now.Unix() >= e.until+late }

// note remembers that an owner had no room. The oldest gives way.
func (g *Ledger) note(f Full) {
	if old, known := g.crowded[f.Owner]; known && f.Bound == AlreadyTogether {
		f.Bound, f.Limit = old.Bound, old.Limit // what was reached first
	} else if !known && len(g.crowded) >= maxCrowded {
		oldest := f.Owner
		var at time.Time
		for o, c := range g.crowded {
			if at.IsZero() || c.At.Before(at) {
				oldest, at = o, c.At
			}
		}
		delete(g.crowded, oldest)
	}
	g.crowded[f.Owner] = Crowded{Full: f, At: g.now()}
}

func hash(key string) (at id) {
	h := sha256.Sum256([]byte(key))
	copy(at[:], h[:])
	return at
}
