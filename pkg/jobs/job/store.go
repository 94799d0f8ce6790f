package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of a Store.
var (
	ErrNoJob    = errors.New("no such job")
	ErrConflict = errors.New("record was changed by another writer")
	ErrTooLarge = errors.New("record is too large")
	ErrDamaged  = errors.New("record is damaged")
)

// ErrRefused marks what a person asked for that the job's state does not allow;
// nothing was changed.
var ErrRefused = errors.New("refused")

// refusal is an ErrRefused with its own words.
type refusal string

func (r refusal) Error() string        { return string(r) }
func (r refusal) Is(target error) bool { return target == ErrRefused }

// Refuse is an ErrRefused with its own words.
func Refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// MaxRecord bounds a job's record in the store, in bytes: below the bus's
// default limit of 1 MiB for a message.
const MaxRecord = 768 << 10

// A Store keeps job records, the live ones apart from the finished, so that a
// start reads only the live. What a method acknowledges survives a crash. All
// methods are safe for concurrent use, also by several processes.
type Store interface {
	// Create records new jobs, all of them or none, and tells for each whether it
	// is new: a job whose ID exists, live or finished, stays as it is. It sets
	// Revision of the new ones.
	Create(ctx context.Context, js []*Job) (created []bool, err error)
	// Get returns a job, live or finished, or ErrNoJob.
	Get(ctx context.Context, id string) (*Job, error)
	// Update replaces a live record if its revision is still j.Revision, which it
	// then sets anew; otherwise ErrConflict.
	Update(ctx context.Context, j *Job) error
	// Archive moves a job in a terminal state from the live to the finished ones.
	// Archiving twice is no error.
	Archive(ctx context.Context, j *Job) error
	// Watch calls see with every live job, then once with Synced set, then with
	// every change, in the order of their revisions, until ctx ends or the store
	// fails. It may fall behind, and tell Synced too early, without knowing.
	Watch(ctx context.Context, see func(Change)) error
	// Barrier returns a revision that a watcher comes to see, and by which it has
	// seen every change that was acknowledged to anybody before the call. It is
	// cheap where seen, which tells up to where the caller has seen, is enough.
	Barrier(ctx context.Context, seen func() uint64) (uint64, error)
	// Finished calls see with the jobs that were archived at or after since, part by part:
	// the part that was archived last comes first, and the order within a part is not
	// defined. After a part, enough is called with the time since when everything archived
	// has been seen; it reports whether the reading may end there. A nil enough reads all.
	// A reading holds one record and a bounded number of bytes that are under way, however
	// many jobs there are. Long records may be shortened: Get returns a whole one.
	Finished(ctx context.Context, since time.Time, see func(*Job), enough func(archived time.Time) bool) error
}

// Change is a change of a live job, or neither that nor Synced: then only the
// Revision tells something.
type Change struct {
	ID       string
	Job      *Job   // nil when it left the live ones
	Foreign  error  // the record of ID does not verify: the job is held, and Job is nil
	Synced   bool   // every live job has been seen
	Revision uint64 // all up to here has been seen; 0: not told
}

// AllFinished returns every job that was archived at or after since, by its revision. It
// holds them all: for stores that are known to be small, such as those of tests.
func AllFinished(ctx context.Context, s Store, since time.Time) ([]*Job, error) {
	var all []*Job
	err := s.Finished(ctx, since, func(j *Job) { all = append(all, j) }, nil)
	slices.SortFunc(all, func(a, b *Job) int { return cmp.Compare(a.Revision, b.Revision) })
	return all, err
}
