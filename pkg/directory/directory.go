package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/endpoints"
)

// Config is what a Directory needs. Zero values mean what the comments say.
type Config struct {
	Server edr.Server
	Tenant string        // label of the server; empty: none
	Store  Store         // of what events say of types; nil: it is forgotten at the end
	Every  time.Duration // between readings of the whole fleet; 0: 10 minutes
	// Changed is called when unknown facts of endpoints may have become known: after a
	// reading, or a change of the endpoints file. It must not block. Nil: no calls.
	Changed func()
	Now     func() time.Time // nil: time.Now
	Log     zerolog.Logger
}

const (
	firstRetry   = time.Second // after a reading that failed, doubled each time
	longestRetry = time.Minute
	readTimeout  = 3 * time.Second  // of one endpoint's record
	missingFor   = 5 * time.Minute  // an endpoint that the server does not have is read again after
	failedFor    = 30 * time.Second // no single record is read after one that failed
	groupAgain   = 5 * time.Second  // a record whose group could not be read is read again after
	maxMissing   = 10_000
)

// Directory keeps the records of one server's endpoints. Its owner calls Run.
type Directory struct {
	cfg Config

	mu      sync.RWMutex
	byID    map[string]*Record
	byHost  map[string][]*Record // by lower-case name without domain
	missing map[string]time.Time // ids without an endpoint on the server, with the time of that answer
	texts   map[string]string
	book    *endpoints.Book
	whole   bool      // the fleet has been read
	failed  time.Time // when a single record could not be read
	grouped time.Time // when a record was last read for its group
	reading sync.Mutex

	wanted wanted // records that events need

	heard types // types from events
}

// New makes an empty directory. It sends no request.
func New(c Config) *Directory {
	c.Every = cmp.Or(c.Every, 10*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	d := &Directory{cfg: c, byID: map[string]*Record{}, byHost: map[string][]*Record{}, missing: map[string]time.Time{}, texts: map[string]string{}}
	d.wanted.queued, d.wanted.came = map[string]bool{}, make(chan struct{}, 1)
	if c.Store != nil {
		d.heard.changed = make(chan struct{}, 1)
	}
	return d
}

// Run reads the fleet, then the records that events need, and stores what events say,
// until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	var beside sync.WaitGroup
	defer beside.Wait()
	if d.cfg.Store != nil {
		beside.Go(func() { d.keep(ctx) })
	}
	wait := firstRetry
	for first := true; ; first = false {
		pause := d.cfg.Every
		err := d.Read(ctx)
		if first { // before, every event would want a record that the fleet has
			for range readers {
				beside.Go(func() { d.readWanted(ctx) })
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.cfg.Log.Warn().Err(err).Dur("again_in", wait).Msg("directory of endpoints could not be read; facts of endpoints that it does not have yet are unknown")
			pause, wait = wait, min(2*wait, longestRetry)
		case d.groupsUnread():
			d.cfg.Log.Warn().Str("server", d.cfg.Server.Name()).Dur("again_in", wait).Msg("the names of groups could not be read; matches that hang on them are held")
			pause, wait = wait, min(2*wait, longestRetry)
		default:
			wait = firstRetry
		}
		if err := d.Load(ctx); err != nil && ctx.Err() == nil { // what other replicas have heard
			d.cfg.Log.Warn().Err(err).Msg("types that events had said could not be read; those of some endpoints may be unknown here")
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// Read reads the whole fleet, page by page, and replaces the records.
func (d *Directory) Read(ctx context.Context) error {
	all, err := d.cfg.Server.Sensors(ctx, edr.SensorQuery{})
	if err != nil {
		return fmt.Errorf("read the endpoints of server %s: %w", d.cfg.Server.Name(), err)
	}
	d.replace(all)
	d.cfg.Changed()
	return nil
}

// replace replaces the records of the fleet.
func (d *Directory) replace(all []edr.Sensor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range all {
		d.keepGroup(&all[i])
	}
	d.byID, d.byHost = make(map[string]*Record, len(all)), make(map[string][]*Record, len(all))
	d.texts, d.missing = map[string]string{}, map[string]time.Time{}
	for _, s := range all {
		d.put(d.recordOf(s))
	}
	d.whole, d.failed = true, time.Time{}
}

// Use replaces the operator's endpoints file; nil: there is none.
func (d *Directory) Use(b *endpoints.Book) {
	d.mu.Lock()
	d.book = b
	for id, r := range d.byID {
		now := *r // readers may hold the old one
		now.own = b.Facts(now.subject())
		d.put(&now)
		d.byID[id] = &now
	}
	d.mu.Unlock()
	d.cfg.Changed()
}

// Note takes over a record that another caller has just read from the server.
func (d *Directory) Note(s edr.Sensor) {
	if s.ID == "" || s.Hostname == "" || s.OS == "" {
		return // an id, or an id and an event's host name, is no record: its facts are not read
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keepGroup(&s)
	if old := d.byID[s.ID]; old != nil && old.same(s) {
		return
	}
	d.put(d.recordOf(s))
}

// keepGroup gives a record whose group could not be read the one that was read before.
// d.mu is held.
func (d *Directory) keepGroup(s *edr.Sensor) {
	if old := d.byID[s.ID]; s.GroupUnread && old != nil && !old.groupUnread {
		s.Group, s.GroupUnread = old.Group, false
	}
}

// groupsUnread reports whether a group of the fleet could not be read.
func (d *Directory) groupsUnread() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, r := range d.byID {
		if r.groupUnread {
			return true
		}
	}
	return false
}

// put adds a record. d.mu is held.
func (d *Directory) put(r *Record) {
	if old := d.byID[r.Endpoint.ID]; old != nil {
		host := hostKey(old.Hostname)
		kept := d.byHost[host][:0:0]
		for _, other := range d.byHost[host] {
			if other != old {
				kept = append(kept, other)
			}
		}
		d.byHost[host] = kept
	}
	d.byID[r.Endpoint.ID] = r
	host := hostKey(r.Hostname)
	d.byHost[host] = append(d.byHost[host], r)
	delete(d.missing, r.Endpoint.ID)
}

// hostKey is a host name without case and domain.
func hostKey(name string) string {
	short, _, _ := strings.Cut(strings.ToLower(name), ".")
	return short
}

// Whole reports whether the fleet has been read since the start.
func (d *Directory) Whole() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.whole
}

// Len is the number of records.
func (d *Directory) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.byID)
}

// ByHost returns the records of a host name, case and domain ignored. A host that was
// installed anew has several; the caller decides.
func (d *Directory) ByHost(name string) []Record {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []Record
	for _, r := range d.byHost[hostKey(name)] {
		all = append(all, *r)
	}
	return all
}

// ErrUnread: the endpoint's record has not been read yet, and could not be read now.
var ErrUnread = errors.New("the endpoint's record has not been read")

// Lookup returns the record of an endpoint without a request. ErrUnread: the server may
// have it; edr.ErrUnknownSensor: the server has answered that it does not.
func (d *Directory) Lookup(id string) (Record, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if r := d.byID[id]; r != nil {
		return *r, nil
	}
	if at, ok := d.missing[id]; ok && d.cfg.Now().Sub(at) < missingFor {
		return Record{}, edr.ErrUnknownSensor
	}
	return Record{}, ErrUnread
}

// Find is Lookup with a request for a missing record, or a missing group. A server that
// has failed recently is not requested again: ErrUnread.
func (d *Directory) Find(ctx context.Context, id string) (Record, error) {
	r, err := d.Lookup(id)
	if !errors.Is(err, ErrUnread) && !r.groupUnread {
		return r, err
	}
	d.reading.Lock() // one at a time: what another one read serves us too
	defer d.reading.Unlock()
	r, err = d.Lookup(id)
	switch {
	case r.groupUnread && d.groupAgain():
		if made, err := d.request(ctx, id); err == nil {
			return made, nil
		}
		return r, nil
	case !errors.Is(err, ErrUnread):
		return r, err
	case d.failing():
		return Record{}, ErrUnread
	}
	return d.request(ctx, id)
}

// failing reports whether the server has failed recently.
func (d *Directory) failing() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return !d.failed.IsZero() && d.cfg.Now().Sub(d.failed) < failedFor
}

// request reads one record from the server.
func (d *Directory) request(ctx context.Context, id string) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	sensor, err := d.cfg.Server.Sensor(ctx, id)
	switch {
	case errors.Is(err, edr.ErrUnknownSensor):
		d.forget(id)
		d.cfg.Changed() // that it has none is known now
		return Record{}, err
	case err != nil:
		d.mu.Lock()
		d.failed = d.cfg.Now()
		d.mu.Unlock()
		return Record{}, fmt.Errorf("%w: %w", ErrUnread, err)
	}
	made := d.take(sensor)
	d.cfg.Changed()
	return made, nil
}

// take keeps the record of one endpoint.
func (d *Directory) take(s edr.Sensor) Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keepGroup(&s)
	made := d.recordOf(s)
	d.put(made)
	d.failed = time.Time{}
	return *made
}

// forget notes that the server does not have an id.
func (d *Directory) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.missing) >= maxMissing {
		d.missing = map[string]time.Time{}
	}
	d.missing[strings.Clone(id)] = d.cfg.Now()
}
