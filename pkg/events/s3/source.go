package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/rs/zerolog"

	"edrpipe/internal/pace"
	"edrpipe/pkg/events"
)

// Source reads the objects of a bucket. Client, Bucket and Place are required; the
// zero value of everything else is a good default.
type Source struct {
	Client *minio.Client
	Bucket string
	Prefix string // of the keys; the forwarder has one for each type of data
	Server string // configured name of the server whose events they are; empty: named by the events
	Queue  Queue  // of the bucket's notices about new objects; nil: new ones are found at the next poll
	Place  string // file in which is remembered what has been read

	// Poll is the pause between two looks for new objects; 0 means one minute.
	Poll time.Duration
	// Lookback is how much earlier than the newest object read one may have been
	// received and still be found; 0 means one hour. A first start reads the objects
	// of that time.
	Lookback time.Duration
	// Pending bounds how many lines are unsettled; 0 means 256.
	Pending int
	// MaxLine bounds a line in bytes; 0 means 4 MiB. Longer ones are passed on cut,
	// which makes them dead letters.
	MaxLine int
	// Retry is the pause before a line that failed is delivered again; 0 means 5 s.
	Retry time.Duration

	Log zerolog.Logger
}

func (s Source) withDefaults() Source {
	s.Poll = cmp.Or(s.Poll, time.Minute)
	s.Lookback = cmp.Or(s.Lookback, time.Hour)
	s.Pending = cmp.Or(s.Pending, 256)
	s.MaxLine = cmp.Or(s.MaxLine, 4<<20)
	s.Retry = cmp.Or(s.Retry, 5*time.Second)
	return s
}

// Name is s3:<bucket>/<prefix>.
func (s *Source) Name() string { return "s3:" + path.Join(s.Bucket, s.Prefix) }

// Close is a no-op: Run owns all resources.
func (s *Source) Close() error { return nil }

// Read delivers the lines of each new object until ctx ends. A bucket that cannot be
// listed is tried again at the next look.
func (s *Source) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	r := &reader{Source: s.withDefaults(), handle: handle}
	var err error
	if r.progress, err = loadProgress(s.Place); err != nil {
		return err
	}
	if r.progress.Watermark.IsZero() {
		r.progress.Watermark = time.Now()
	}
	for ctx.Err() == nil {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			var final *handlerError
			if errors.As(err, &final) {
				return final.err
			}
			s.Log.Warn().Err(err).Str("source", s.Name()).Dur("again_in", r.Poll).Msg("bucket could not be read")
		}
		if r.Queue != nil {
			var final *handlerError
			if errors.As(r.notices(ctx, time.Now().Add(r.Poll)), &final) && ctx.Err() == nil {
				return final.err
			}
		} else if pace.Sleep(ctx, r.Poll) != nil {
			break
		}
	}
	return r.progress.save(s.Place)
}

// handlerError is an error of handle, which ends the reading.
type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }
func (e *handlerError) Unwrap() error { return e.err }

// reader is one Read.
type reader struct {
	Source
	handle   func(context.Context, events.Message) error
	progress *progress
	sweep    time.Time // when all keys were last listed
	large    bool      // the last sweep saw many keys
	foreign  sync.Once // tells of messages that are not ours
}

// Sweeps list all keys of a large bucket; between them only those of the last hours
// are listed.
const (
	largeBucket = 10_000
	sweepEach   = time.Hour
)

// look reads the objects that are new, in the order in which they were received.
func (r *reader) look(ctx context.Context) error {
	found, err := r.fresh(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b minio.ObjectInfo) int {
		return cmp.Or(a.LastModified.Compare(b.LastModified), keyTime(a.Key).Compare(keyTime(b.Key)), cmp.Compare(a.Key, b.Key))
	})
	for _, o := range found {
		if err := r.object(ctx, o); err != nil {
			return err
		}
	}
	return r.progress.save(r.Place)
}

// fresh lists the objects that have not been read.
func (r *reader) fresh(ctx context.Context) ([]minio.ObjectInfo, error) {
	prefixes := []string{r.Prefix}
	whole := !r.large || time.Since(r.sweep) >= sweepEach
	if !whole {
		prefixes = r.recentPrefixes(ctx)
	}
	seen := 0
	var found []minio.ObjectInfo
	floor := r.progress.Watermark.Add(-r.Lookback)
	for _, prefix := range prefixes {
		for o := range r.Client.ListObjects(ctx, r.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if o.Err != nil {
				return nil, fmt.Errorf("list %s/%s: %w", r.Bucket, prefix, o.Err)
			}
			seen++
			if !strings.HasSuffix(o.Key, "/") && !o.LastModified.Before(floor) && !r.progress.done(o) {
				found = append(found, o)
			}
		}
	}
	if whole {
		r.sweep, r.large = time.Now(), seen >= largeBucket
	}
	return found, nil
}

// recentPrefixes are those of the last hours in the forwarder's layout.
func (r *reader) recentPrefixes(ctx context.Context) []string {
	var roots []string
	for o := range r.Client.ListObjects(ctx, r.Bucket, minio.ListObjectsOptions{Prefix: folder(r.Prefix)}) {
		if strings.HasPrefix(path.Base(o.Key), "org_key=") {
			roots = append(roots, o.Key)
		}
	}
	if len(roots) == 0 {
		return []string{r.Prefix}
	}
	var all []string
	now := time.Now().UTC()
	for at := now.Add(-r.Lookback - time.Hour); !at.After(now.Add(time.Hour)); at = at.Add(time.Hour) {
		for _, root := range roots {
			all = append(all, fmt.Sprintf("%syear=%d/month=%d/day=%d/hour=%d/", root, at.Year(), at.Month(), at.Day(), at.Hour()))
		}
	}
	return all
}

func folder(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix
	}
	return prefix + "/"
}

// layout is the end of a forwarder's key; its numbers have no leading zeros.
var layout = regexp.MustCompile(`year=(\d+)/month=(\d+)/day=(\d+)/hour=(\d+)/minute=(\d+)/second=(\d+)/[^/]*$`)

// keyTime is the time in a forwarder's key; zero for other keys.
func keyTime(key string) time.Time {
	m := layout.FindStringSubmatch(key)
	if m == nil {
		return time.Time{}
	}
	var n [6]int
	for i, digits := range m[1:] {
		if len(digits) > 4 {
			return time.Time{}
		}
		for _, c := range digits {
			n[i] = n[i]*10 + int(c-'0')
		}
	}
	return time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
}
