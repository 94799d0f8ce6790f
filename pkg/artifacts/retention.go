package artifacts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// abandoned is how long data may lie without a record: its writer has died.
const abandoned = 24 * time.Hour

// Swept is the result of a sweep: what was removed, and why it was not enough.
type Swept struct {
	Expired   []Record // past their retention
	Squeezed  []Record // removed before that, because the store was over its quota
	Abandoned []string // data that a crash left without a record
	Broken    []string // artifacts whose records cannot be read: they stay
	Kept      int      // past their retention, but needed by a live job
	Bytes     int64    // stored now
}

// Sweep removes artifacts past their retention and then, while the store is over
// its quota, the oldest ones; never one whose job is live. What it removed is
// returned, to be recorded. It is ErrFull when live jobs alone fill the store.
func (s *Store) Sweep(ctx context.Context, live func(job string) bool) (Swept, error) {
	var out Swept
	records, err := s.List(ctx, Filter{})
	var broken *Broken
	if errors.As(err, &broken) { // that one is broken must not let the store fill up
		for _, b := range broken.Records {
			out.Broken = append(out.Broken, b.ID)
		}
		err = nil
	}
	if err != nil {
		return out, err
	}
	now := s.Now()
	rest := records[:0]
	for _, r := range records {
		switch {
		case r.Expires.IsZero() || now.Before(r.Expires):
			rest = append(rest, r)
		case live(r.Job):
			out.Kept++
			rest = append(rest, r)
		default:
			if err := s.remove(ctx, r); err != nil {
				return out, err
			}
			out.Expired = append(out.Expired, r)
		}
	}
	if err := s.tidy(ctx, &out); err != nil {
		return out, err
	}
	return out, s.squeeze(ctx, rest, live, &out)
}

// remove deletes the record first: half a removal leaves abandoned data, never a
// record without its file.
func (s *Store) remove(ctx context.Context, r Record) error {
	for _, ending := range []string{recordEnding, dataEnding} {
		if err := s.Backend.Delete(ctx, r.ID+ending); err != nil {
			return fmt.Errorf("remove artifact %s: %w", r.ID, err)
		}
	}
	return nil
}

// tidy removes abandoned data and counts what is left.
func (s *Store) tidy(ctx context.Context, out *Swept) error {
	named, lone := map[string]bool{}, map[string]Blob{}
	out.Bytes = 0
	err := s.Backend.List(ctx, func(b Blob) error {
		out.Bytes += b.Size
		if id, ok := strings.CutSuffix(b.Name, recordEnding); ok {
			named[id] = true
		} else if id, ok := strings.CutSuffix(b.Name, dataEnding); ok && s.Now().Sub(b.Time) > abandoned {
			lone[id] = b
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sweep artifacts: %w", err)
	}
	for id, b := range lone {
		if named[id] {
			continue
		}
		if err := s.Backend.Delete(ctx, b.Name); err != nil {
			return fmt.Errorf("remove abandoned artifact %s: %w", id, err)
		}
		out.Abandoned = append(out.Abandoned, id)
		out.Bytes -= b.Size
	}
	return nil
}

// squeeze removes the oldest artifacts that no live job needs.
func (s *Store) squeeze(ctx context.Context, records []Record, live func(job string) bool, out *Swept) error {
	defer func() { s.used.Store(out.Bytes) }()
	if s.MaxBytes <= 0 {
		return nil
	}
	for _, r := range records { // oldest first
		if out.Bytes <= s.MaxBytes {
			return nil
		}
		if live(r.Job) {
			continue
		}
		if err := s.remove(ctx, r); err != nil {
			return err
		}
		out.Squeezed = append(out.Squeezed, r)
		out.Bytes -= r.StoredSize
	}
	if out.Bytes > s.MaxBytes {
		return fmt.Errorf("%w: %d of %d bytes are used, and live jobs need them", ErrFull, out.Bytes, s.MaxBytes)
	}
	return nil
}

// Delete removes one artifact on a person's word, unless a live job needs it.
func (s *Store) Delete(ctx context.Context, id string, live func(job string) bool) error {
	r, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if live(r.Job) {
		return fmt.Errorf("artifact %s: %w", id, ErrNeeded)
	}
	s.used.Add(-r.StoredSize)
	return s.remove(ctx, r)
}

// ErrNeeded refuses to delete an artifact of a live job.
var ErrNeeded = errors.New("a live job needs it")
