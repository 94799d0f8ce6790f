package listsource

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/pace"
	"edrpipe/rules/list"
)

// Formats of answers.
const (
	Text = "text"
	CSV  = "csv"
	STIX = "stix"
)

// Config of a Source. Name, URL, Format, Every, MaxBytes, Dir, Client, Kind, Taken, Changed and Now
// are required.
type Config struct {
	Name        string // of the list beside the rules
	URL         string
	ChecksumURL string // of a file with the SHA-256 of the answer; empty: it is not compared
	Format      string
	Column      string        // of CSV: a name, or a number from 1 where there is no line of names
	Every       time.Duration // between two requests
	MaxAge      time.Duration // how long a list is in force that the server no longer confirms; 0: without end
	Timeout     time.Duration // of one request with its redirects; 0: 1 minute
	MaxBytes    int64         // of an answer, decompressed
	MaxEntries  int           // of an answer; 0: 200,000
	Shrink      float64       // part of its entries that a list may lose at once; 0: half of them
	Dir         string        // where the last good list is kept
	Token       func() (string, error)
	Client      *http.Client // its transport is used; redirects are the source's own matter
	Kind        func() (list.Kind, bool)
	Taken       func() []string // the values from elsewhere that the list in force has, sorted, each once
	Changed     func()          // called after Values may have changed
	Now         func() time.Time
	Log         zerolog.Logger
}

// Source is the values of one list from elsewhere. It is safe for concurrent use.
type Source struct {
	c      Config
	client *http.Client
	file   string
	opened time.Time
	ahead  bool // the kept list was confirmed by a clock that was ahead

	mu      sync.Mutex
	have    kept
	failing error     // of the latest request; nil: it succeeded or there was none
	since   time.Time // when requests began to fail
}

// Open reads the list that was kept. One that cannot be read is fetched anew.
func Open(c Config) *Source {
	c.Timeout, c.Shrink, c.MaxEntries = cmp.Or(c.Timeout, time.Minute), cmp.Or(c.Shrink, 0.5), cmp.Or(c.MaxEntries, 200_000)
	s := &Source{c: c, client: &http.Client{Transport: c.Client.Transport, CheckRedirect: follow}, file: filepath.Join(c.Dir, c.Name+".json"), opened: c.Now()}
	have, err := readKept(s.file, s.origin(), c.MaxEntries)
	if err != nil {
		c.Log.Warn().Err(err).Str("list", c.Name).Msg("the kept list is not read; it is fetched again")
	}
	if have.Confirmed.After(s.opened) {
		have.Confirmed, s.ahead = s.opened, true
	}
	s.have = have
	return s
}

func (s *Source) origin() string {
	return strings.Join([]string{s.c.URL, s.c.Format, s.c.Column}, " ")
}

// Name of the list.
func (s *Source) Name() string { return s.c.Name }

// Values returns what is in force, in normal form.
func (s *Source) Values() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.c.Now()
	if s.stale(now) {
		return nil
	}
	return valid(s.have.Entries, now)
}

// stale reports whether the server has not confirmed the list for too long. The caller
// holds the lock.
func (s *Source) stale(now time.Time) bool {
	return s.c.MaxAge > 0 && !now.Before(s.have.Confirmed.Add(s.c.MaxAge))
}

// shortestTurn bounds how often lists change for entries that begin or end.
const shortestTurn = time.Minute

// look is how often a source looks whether its list has got another type.
const look = time.Minute

// Run fetches the list until ctx ends.
func (s *Source) Run(ctx context.Context) {
	next, kind, told := s.first(), s.keptKind(), s.opened // told: up to when Changed was called for turns
	for failures := 0; ctx.Err() == nil; {
		now := s.c.Now()
		if is, ok := s.c.Kind(); ok && is != kind { // what was fetched was read for another type
			kind, next = is, now
		}
		if !now.Before(next) {
			wait := s.c.Every
			if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
				wait = pace.Backoff(min(time.Minute, s.c.Every), failures, s.c.Every)
				failures++
			} else {
				failures = 0
			}
			next = s.c.Now().Add(wait)
		}
		now, until := s.c.Now(), next
		if at := s.nextTurn(told); !at.IsZero() {
			due := later(at, told.Add(shortestTurn))
			if !now.Before(due) {
				told = now
				s.c.Changed()
				continue
			}
			if due.Before(next) {
				until = due
			}
		}
		_ = pace.Sleep(ctx, min(look, until.Sub(now))) // the loop ends with ctx; both were looked at above, so it waits
	}
}

// first is when to ask first: at once, unless the kept list was confirmed lately.
func (s *Source) first() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ahead {
		return s.opened
	}
	return s.have.Confirmed.Add(s.c.Every)
}

func (s *Source) keptKind() list.Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have.Kind
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// nextTurn is the first time after a given one at which Values change without a request;
// zero: never.
func (s *Source) nextTurn(after time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := turn(s.have.Entries, after)
	if end := s.have.Confirmed.Add(s.c.MaxAge); s.c.MaxAge > 0 && len(s.have.Entries) > 0 && end.After(after) && (at.IsZero() || end.Before(at)) {
		at = end
	}
	return at
}

// refresh asks once, and takes the answer if it is sound.
func (s *Source) refresh(ctx context.Context) error {
	changed, err := s.ask(ctx)
	if ctx.Err() != nil {
		return err
	}
	s.note(err)
	if changed {
		s.c.Changed()
	}
	return err
}

// note records how the latest request ended.
func (s *Source) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.failing == nil:
		s.since = s.c.Now()
		s.c.Log.Warn().Str("list", s.c.Name).Err(err).Msg("the list from elsewhere is not renewed; the last good one stays in force")
	case err == nil && s.failing != nil:
		s.c.Log.Info().Str("list", s.c.Name).Msg("the list from elsewhere is renewed again")
	}
	s.failing = err
}

func (s *Source) ask(ctx context.Context) (changed bool, err error) {
	kind, ok := s.c.Kind()
	if !ok {
		return false, fmt.Errorf("%w: %s", ErrNoList, s.c.Name)
	}
	s.mu.Lock()
	before := s.have
	stale := s.stale(s.c.Now())
	s.mu.Unlock()
	asked := before
	if before.Kind != kind { // its values were read for another kind
		asked = kept{}
	}
	a, err := s.fetch(ctx, asked)
	if err != nil {
		return false, err
	}
	after := before
	if a.body != nil {
		if after, err = s.read(kind, a); err != nil {
			return false, err
		}
		if stale { // nothing is in force that could be lost
			asked = kept{}
		}
		if err := s.shrunk(asked, after); err != nil {
			return false, err
		}
	}
	after.Confirmed = s.c.Now()
	s.mu.Lock()
	s.have = after
	s.mu.Unlock()
	if err := after.write(s.file); err != nil {
		return true, fmt.Errorf("%w: %w", ErrKeep, err)
	}
	return a.body != nil || stale, nil
}
