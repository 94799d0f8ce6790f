package artifacts

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"filippo.io/age"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
)

// Backend keeps named blobs.
type Backend interface {
	// Put streams r into a blob. It returns when the blob is durable and its digest
	// has been verified; after an error no part of it remains.
	Put(ctx context.Context, name string, r io.Reader) error
	// Open streams a blob; fs.ErrNotExist if there is none of that name.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Delete removes a blob; a missing one is no error.
	Delete(ctx context.Context, name string) error
	// List visits the blobs, in the order of their names.
	List(ctx context.Context, visit func(Blob) error) error
}

// Blob is an entry of a Backend.
type Blob struct {
	Name string
	Size int64 // bytes as stored
	Time time.Time
}

// Config is what a Store is made of.
type Config struct {
	Backend    Backend
	Recipients []age.Recipient // who can read what is stored; none: it is not encrypted
	Retain     time.Duration   // how long an artifact is kept; 0: for ever
	MaxBytes   int64           // stored in all; 0: no limit
	MaxFile    int64           // of one file as collected; 0: no limit
	Now        func() time.Time
}

// Store is the evidence store. It is safe for concurrent use, and several
// replicas may use one Backend.
type Store struct {
	Config
	used atomic.Int64 // bytes stored, as last counted and since then put by us
}

// Errors that callers decide on.
var (
	ErrFull      = errors.New("the artifact store is full")
	ErrTooLarge  = errors.New("the file is larger than the artifact store takes")
	ErrEncrypted = errors.New("the artifact is encrypted: an identity is needed to read it")
	ErrDamaged   = errors.New("the artifact is not what was stored")
)

// Record is an artifact as kept.
type Record struct {
	actions.Artifact
	Encrypted    bool   `json:"encrypted,omitempty"`
	StoredSize   int64  `json:"stored_size"`   // bytes
	StoredSHA256 string `json:"stored_sha256"` // of the bytes as stored
}

// Open returns the store on a backend and counts what it holds.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{Config: c}
	return s, s.count(ctx)
}

func (s *Store) count(ctx context.Context) error {
	var sum int64
	err := s.Backend.List(ctx, func(b Blob) error { sum += b.Size; return nil })
	if err != nil {
		return fmt.Errorf("count artifacts: %w", err)
	}
	s.used.Store(sum)
	return nil
}

// Endings of the two blobs of an artifact.
const (
	dataEnding   = ".data"
	recordEnding = ".json"
)

// idTime is how an id begins.
const idTime = "20060102t150405"

// newID is ordered by time and cannot be guessed.
func (s *Store) newID() string {
	return s.Now().UTC().Format(idTime) + "-" + strings.ToLower(rand.Text())[:16]
}

// Put implements actions.ArtifactStore.
func (s *Store) Put(ctx context.Context, a actions.Artifact, r io.Reader) (actions.Artifact, error) {
	if s.MaxBytes > 0 && s.used.Load() >= s.MaxBytes {
		return a, fmt.Errorf("%w: %d of %d bytes are used", ErrFull, s.used.Load(), s.MaxBytes)
	}
	a.ID = s.newID()
	if a.Time.IsZero() {
		a.Time = s.Now()
	}
	if s.Retain > 0 && a.Expires.IsZero() {
		a.Expires = a.Time.Add(s.Retain)
	}
	rec, err := s.data(ctx, a, r)
	if err != nil {
		return a, fmt.Errorf("store %q of sensor %s: %w", a.Path, a.Sensor, err)
	}
	text, err := json.Marshal(rec)
	if err == nil {
		err = s.Backend.Put(ctx, a.ID+recordEnding, strings.NewReader(string(text)))
	}
	if err != nil {
		return a, errors.Join(fmt.Errorf("store the record of %q of sensor %s: %w", a.Path, a.Sensor, err),
			s.Backend.Delete(context.WithoutCancel(ctx), a.ID+dataEnding)) // not to be left behind, also at shutdown
	}
	s.used.Add(rec.StoredSize + int64(len(text)))
	return rec.Artifact, nil
}

// data streams the file through hash, limits and encryption into the backend.
func (s *Store) data(ctx context.Context, a actions.Artifact, r io.Reader) (Record, error) {
	plain := newStream(r)
	plain.limit, plain.over = s.MaxFile, ErrTooLarge
	source, wait := s.encrypt(plain)
	stored := newStream(source)
	stored.over = ErrFull
	if s.MaxBytes > 0 {
		stored.limit = s.MaxBytes - s.used.Load()
	}
	err := s.Backend.Put(ctx, a.ID+dataEnding, stored)
	wait(err)
	if err != nil {
		return Record{}, err
	}
	a.Size, a.SHA256 = plain.size, plain.SHA256()
	return Record{Artifact: a, Encrypted: len(s.Recipients) > 0, StoredSize: stored.size, StoredSHA256: stored.SHA256()}, nil
}

// encrypt returns r encrypted to the recipients, and a function to call after the
// last read.
func (s *Store) encrypt(r io.Reader) (io.Reader, func(error)) {
	if len(s.Recipients) == 0 {
		return r, func(error) {}
	}
	out, in := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w, err := age.Encrypt(in, s.Recipients...)
		if err == nil {
			if _, err = copyAll(w, r); err == nil {
				err = w.Close()
			}
		}
		in.CloseWithError(err)
	}()
	return out, func(err error) {
		out.CloseWithError(err)
		<-done
	}
}

// Get returns the record of an artifact, or fs.ErrNotExist.
func (s *Store) Get(ctx context.Context, id string) (Record, error) {
	if !validID(id) {
		return Record{}, fmt.Errorf("artifact %q: %w", id, fs.ErrNotExist)
	}
	blob, err := s.Backend.Open(ctx, id+recordEnding)
	if err != nil {
		return Record{}, fmt.Errorf("artifact %s: %w", id, err)
	}
	defer blob.Close()
	var rec Record
	if err := json.NewDecoder(blob).Decode(&rec); err != nil {
		return Record{}, fmt.Errorf("artifact %s: its record is unreadable: %w", id, err)
	}
	return rec, nil
}

func validID(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Open streams an artifact as it was collected. An encrypted one needs an
// identity. Reading to the end compares the digest: ErrDamaged.
func (s *Store) Open(ctx context.Context, id string, identities ...age.Identity) (io.ReadCloser, Record, error) {
	rec, err := s.Get(ctx, id)
	if err != nil {
		return nil, rec, err
	}
	if rec.Encrypted && len(identities) == 0 {
		return nil, rec, fmt.Errorf("artifact %s: %w", id, ErrEncrypted)
	}
	blob, err := s.Backend.Open(ctx, id+dataEnding)
	if err != nil {
		return nil, rec, fmt.Errorf("artifact %s: %w", id, err)
	}
	var r io.Reader = blob
	if rec.Encrypted {
		if r, err = age.Decrypt(blob, identities...); err != nil {
			return nil, rec, errors.Join(fmt.Errorf("artifact %s: %w", id, err), blob.Close())
		}
	}
	return &proven{stream: newStream(r), Closer: blob, rec: rec}, rec, nil
}

// OpenStored streams an artifact as it is stored, encrypted or not.
func (s *Store) OpenStored(ctx context.Context, id string) (io.ReadCloser, Record, error) {
	rec, err := s.Get(ctx, id)
	if err != nil {
		return nil, rec, err
	}
	blob, err := s.Backend.Open(ctx, id+dataEnding)
	if err != nil {
		return nil, rec, fmt.Errorf("artifact %s: %w", id, err)
	}
	return blob, rec, nil
}

// proven compares size and digest at the end of an artifact.
type proven struct {
	*stream
	io.Closer
	rec Record
}

func (p *proven) Read(b []byte) (int, error) {
	n, err := p.stream.Read(b)
	if errors.Is(err, io.EOF) && (p.size != p.rec.Size || p.SHA256() != p.rec.SHA256) {
		return n, fmt.Errorf("artifact %s: %w: %d bytes with SHA-256 %s, want %d with %s", p.rec.ID, ErrDamaged, p.size, p.SHA256(), p.rec.Size, p.rec.SHA256)
	}
	return n, err
}

// Filter selects artifacts; the zero value selects all.
type Filter struct {
	Job    string
	Rule   string
	Sensor looseid.ID
	SHA256 string
	Since  time.Time
	Last   int // the newest; 0: all
}

func (f Filter) fits(r Record) bool {
	return (f.Job == "" || f.Job == r.Job) && (f.Rule == "" || f.Rule == r.Rule) && (f.Sensor == "" || f.Sensor == r.Sensor) &&
		(f.SHA256 == "" || strings.EqualFold(f.SHA256, r.SHA256)) && !r.Time.Before(f.Since)
}

// Broken is the error of a list in which records could not be read.
type Broken struct{ Records []BrokenRecord }

// BrokenRecord is an artifact whose record cannot be read: damaged, or written by
// somebody else.
type BrokenRecord struct {
	ID  string
	Err error
}

func (b *Broken) Error() string {
	return fmt.Sprintf("%d records of artifacts cannot be read, the first: %v", len(b.Records), b.Records[0].Err)
}

// List returns the records that fit, oldest first. One that cannot be read does not hide
// the others: they are returned, and the error is a *Broken.
func (s *Store) List(ctx context.Context, f Filter) ([]Record, error) {
	var ids []string
	err := s.Backend.List(ctx, func(b Blob) error {
		if id, ok := strings.CutSuffix(b.Name, recordEnding); ok {
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list artifacts: %w", err)
	}
	slices.Sort(ids)
	since := f.Since.UTC().Format(idTime)
	var found []Record
	var broken Broken
	for _, id := range slices.Backward(ids) {
		// The id contains the time of storing, so the record need not be read.
		if f.Last > 0 && len(found) >= f.Last || !f.Since.IsZero() && id < since {
			break
		}
		rec, err := s.Get(ctx, id)
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted in between
		case err != nil:
			broken.Records = append(broken.Records, BrokenRecord{id, err})
		case f.fits(rec):
			found = append(found, rec)
		}
	}
	slices.SortStableFunc(found, func(a, b Record) int { return a.Time.Compare(b.Time) })
	if len(broken.Records) > 0 {
		return found, &broken
	}
	return found, nil
}

// Remove removes an artifact whose record cannot be read, on a person's word.
func (s *Store) Remove(ctx context.Context, id string) error {
	if _, err := s.Get(ctx, id); err == nil || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("artifact %s has no broken record: %w", id, fs.ErrNotExist)
	}
	return s.remove(ctx, Record{Artifact: actions.Artifact{ID: id}})
}
