package cloudalerts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/pace"
	"edrpipe/pkg/cbc"
	"edrpipe/pkg/events"
)

// A Searcher finds alerts; *cbc.Client is one.
type Searcher interface {
	SearchAlerts(ctx context.Context, q cbc.AlertQuery) (page []cbc.Alert, found int, err error)
}

// Source polls for alerts. Server, Search and Place are required; the zero value of
// everything else is a good default.
type Source struct {
	Server string // configured name of the server
	Search Searcher
	Place  string // file in which is remembered what has been read

	// Poll is the pause between two searches; 0 means one minute, which is also the
	// least: every search counts towards the host's rate.
	Poll time.Duration
	// Since is where a first start begins; zero: now.
	Since time.Time
	// NoUpdates leaves out the copies of alerts that changed.
	NoUpdates bool

	Log zerolog.Logger
}

// Parts of the windows.
const (
	leastPoll = time.Minute
	behind    = time.Minute     // how late an alert becomes visible
	overlap   = 2 * time.Minute // of two windows
	pageRows  = 1000            // about 5 MB
	retry     = 5 * time.Second // before what failed is delivered again
)

// Name is alerts:<server>.
func (s *Source) Name() string { return "alerts:" + s.Server }

// Close is a no-op: Run owns all resources.
func (s *Source) Close() error { return nil }

// Read delivers alerts until ctx ends. A search that fails is repeated at the next
// poll, from where everything before was settled.
func (s *Source) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	r := &reader{Source: *s, handle: handle}
	r.Poll = max(s.Poll, leastPoll)
	var err error
	if r.place, err = loadPlace(s.Place); err != nil {
		return err
	}
	if r.place.Cursor.IsZero() {
		r.place.Cursor = s.Since
		if s.Since.IsZero() {
			r.place.Cursor = time.Now().Add(-behind)
		}
		if err := r.place.save(s.Place); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		if err := r.cycle(ctx); err != nil && ctx.Err() == nil {
			var final *handlerError
			if errors.As(err, &final) {
				return final.err
			}
			s.Log.Warn().Err(err).Str("source", s.Name()).Dur("again_in", r.Poll).Msg("alerts could not be read")
		}
		pace.Sleep(ctx, r.Poll)
	}
	return nil
}

// handlerError is an error of handle, which ends the reading.
type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }

type reader struct {
	Source
	handle func(context.Context, events.Message) error
	place  *place
}

// cycle reads one window, page by page. A full page is followed by one that begins at
// the time of its last alert.
func (r *reader) cycle(ctx context.Context) error {
	end := time.Now().Add(-behind)
	start := r.place.Cursor.Add(-overlap)
	for start.Before(end) {
		q := cbc.AlertQuery{Start: start, End: end, Updates: !r.NoUpdates, Rows: pageRows}
		page, _, err := r.Search.SearchAlerts(ctx, q)
		if err != nil {
			return err
		}
		if err := r.deliver(ctx, page); err != nil {
			return err
		}
		if len(page) < pageRows {
			break
		}
		last := r.timeOf(page[len(page)-1])
		if !last.After(start) { // a whole page of one moment
			last = start.Add(time.Millisecond)
		}
		start = last
		r.place.move(last)
	}
	r.place.move(end)
	return r.place.save(r.Place)
}

// timeOf is the time that the windows are about.
func (r *reader) timeOf(a cbc.Alert) time.Time {
	if r.NoUpdates {
		return a.Raised
	}
	return a.Updated
}

// deliver hands a page's new alerts over and returns once all are settled. Those that
// fail are handed over again.
func (r *reader) deliver(ctx context.Context, page []cbc.Alert) error {
	var fresh []cbc.Alert
	for _, a := range page {
		if a.ID == "" {
			r.Log.Warn().Str("source", r.Name()).Msg("alert without an id is left out")
			continue
		}
		if !r.place.seen(a) {
			fresh = append(fresh, a)
		}
	}
	for len(fresh) > 0 {
		failed, err := r.offer(ctx, fresh)
		if err != nil {
			return err
		}
		if fresh = failed; len(fresh) > 0 {
			pace.Sleep(ctx, retry)
		}
	}
	for _, a := range page {
		r.place.note(a, r.timeOf(a))
	}
	return nil
}

// offer hands alerts over once and returns those that were not taken.
func (r *reader) offer(ctx context.Context, all []cbc.Alert) (failed []cbc.Alert, err error) {
	type verdict struct {
		of  int
		err error
	}
	verdicts := make(chan verdict, len(all)) // never blocks a handler
	for i, a := range all {
		m := events.Message{
			ID: a.ID + " " + a.Updated.UTC().Format(time.RFC3339Nano), Body: a.Raw, ContentType: "application/json",
			Transport: "cloud", Server: r.Server, Received: time.Now(), Settle: func(err error) { verdicts <- verdict{i, err} },
		}
		if err := r.handle(ctx, m); err != nil {
			return nil, &handlerError{err}
		}
	}
	for range all {
		select {
		case v := <-verdicts:
			if v.err != nil {
				failed = append(failed, all[v.of])
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for alerts to be settled: %w", context.Cause(ctx))
		}
	}
	return failed, nil
}

var _ events.Source = (*Source)(nil)
