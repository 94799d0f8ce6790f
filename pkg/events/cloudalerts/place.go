package cloudalerts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"edrpipe/pkg/cbc"
)

// place is where the reading has got: everything before the cursor is settled, and
// some of what comes after the beginning of the next window.
type place struct {
	Cursor time.Time            `json:"cursor"`
	Seen   map[string]time.Time `json:"seen"` // states of alerts, with the time that windows are about
}

func loadPlace(file string) (*place, error) {
	p := &place{Seen: map[string]time.Time{}}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	if err != nil {
		return nil, fmt.Errorf("the place in %s cannot be read (delete it to begin now): %w", file, err)
	}
	if p.Seen == nil {
		p.Seen = map[string]time.Time{}
	}
	return p, nil
}

// state identifies an alert as it was after a change.
func state(a cbc.Alert) string { return a.ID + " " + a.Updated.UTC().Format(time.RFC3339Nano) }

func (p *place) seen(a cbc.Alert) bool {
	_, is := p.Seen[state(a)]
	return is
}

func (p *place) note(a cbc.Alert, at time.Time) { p.Seen[state(a)] = at }

// move sets the cursor, never back, and forgets what no window shows any more.
func (p *place) move(to time.Time) {
	if to.After(p.Cursor) {
		p.Cursor = to
	}
	for s, at := range p.Seen {
		if at.Before(p.Cursor.Add(-2 * overlap)) {
			delete(p.Seen, s)
		}
	}
}

// save writes the place, whole or not at all.
func (p *place) save(file string) error {
	raw, err := json.Marshal(p)
	if err == nil {
		err = replaceFile(file, raw)
	}
	if err != nil {
		return fmt.Errorf("remember which alerts were read: %w", err)
	}
	return nil
}

// replaceFile writes a file so that a crash leaves the old or the new content.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
