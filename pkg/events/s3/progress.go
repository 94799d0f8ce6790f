package s3

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

// progress is what has been read. Objects older than the watermark less the lookback
// need not be remembered: they are not looked at any more.
type progress struct {
	mu        sync.Mutex
	Watermark time.Time            `json:"watermark"` // when the newest finished object was received
	Done      map[string]time.Time `json:"done"`      // objects that are finished, and when, or when they were received if that is later
	Part      map[string]int       `json:"part"`      // lines that are settled of objects that are not
	changed   bool
	saved     time.Time
}

// identity separates an object from a later one with the same key.
func identity(o minio.ObjectInfo) string { return o.Key + " " + o.ETag }

func loadProgress(file string) (*progress, error) {
	p := &progress{Done: map[string]time.Time{}, Part: map[string]int{}}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	if err != nil {
		return nil, fmt.Errorf("the place in %s cannot be read (delete it to begin with the last hour): %w", file, err)
	}
	if p.Done == nil {
		p.Done = map[string]time.Time{}
	}
	if p.Part == nil {
		p.Part = map[string]int{}
	}
	return p, nil
}

func (p *progress) done(o minio.ObjectInfo) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, is := p.Done[identity(o)]
	return is
}

// settled is how many lines of an object are settled.
func (p *progress) settled(o minio.ObjectInfo) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Part[identity(o)]
}

// advance notes how many lines of an object are settled.
func (p *progress) advance(o minio.ObjectInfo, lines int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id := identity(o); lines > p.Part[id] {
		p.Part[id], p.changed = lines, true
	}
}

// finish notes that an object is done and forgets those that are too old to be
// looked at again.
func (p *progress) finish(o minio.ObjectInfo, lookback time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
	delete(p.Part, identity(o))
	// A late object is remembered as long as one that came now: its notice may come again.
	p.Done[identity(o)] = time.Now()
	if o.LastModified.After(time.Now()) { // by a clock ahead of ours
		p.Done[identity(o)] = o.LastModified
	}
	if o.LastModified.After(p.Watermark) {
		p.Watermark = o.LastModified
	}
	for id, at := range p.Done {
		if at.Before(p.Watermark.Add(-lookback)) {
			delete(p.Done, id)
		}
	}
}

// saveSometimes saves about once a second.
func (p *progress) saveSometimes(file string) error {
	p.mu.Lock()
	recent := time.Since(p.saved) < time.Second
	p.mu.Unlock()
	if recent {
		return nil
	}
	return p.save(file)
}

// save writes the progress, whole or not at all.
func (p *progress) save(file string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved = time.Now()
	if !p.changed || file == "" {
		return nil
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := replaceFile(file, raw); err != nil {
		return fmt.Errorf("remember what was read of the bucket: %w", err)
	}
	p.changed = false
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
