package binaries

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Bounds of what is requested from a server.
const (
	requestTime = 10 * time.Second
	failedFor   = 30 * time.Second // no request after one that failed
	reportedFor = 10 * time.Minute // a binary that the server lacks may yet be reported by its sensor
	absentFor   = time.Hour        // then it counts as unknown
	maxWanted   = 10_000           // hashes
)

// fetcher requests the records of wanted binaries from one server, one by one.
type fetcher struct {
	store  *Store
	server string
	reader edr.BinaryReader
	wake   chan struct{}

	mu     sync.Mutex
	queue  []string             // guarded by mu; MD5s
	wanted map[string]bool      // guarded by mu; in the queue, or being requested
	absent map[string]time.Time // guarded by mu; when the server answered that it has none
}

func newFetcher(s *Store, server string, reader edr.BinaryReader) *fetcher {
	return &fetcher{store: s, server: server, reader: reader, wake: make(chan struct{}, 1), wanted: map[string]bool{}, absent: map[string]time.Time{}}
}

// mayKnow reports whether the metadata of a binary may yet arrive.
func (f *fetcher) mayKnow(md5 string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, absent := f.absent[md5]
	since := f.store.cfg.Now().Sub(at)
	return !absent || since < reportedFor || since >= absentFor
}

// want has the record of a binary requested. Beyond the bound it is left to the next
// time that it is wanted.
func (f *fetcher) want(md5 string) {
	f.mu.Lock()
	at, absent := f.absent[md5]
	add := !f.wanted[md5] && (!absent || f.store.cfg.Now().Sub(at) >= absentFor) && len(f.wanted) < maxWanted
	if add {
		md5 = strings.Clone(md5)
		delete(f.absent, md5)
		f.wanted[md5] = true
		f.queue = append(f.queue, md5)
	}
	f.mu.Unlock()
	if add {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

func (f *fetcher) run(ctx context.Context) {
	for {
		md5, ok := f.next()
		if !ok {
			select {
			case <-f.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		pause := f.store.cfg.Every
		if err := f.fetch(ctx, md5); err != nil {
			if ctx.Err() != nil {
				return
			}
			f.store.cfg.Logger.Warn().Err(err).Str("server", f.server).Dur("again_in", failedFor).Msg("metadata of binaries cannot be read; conditions that need it cannot be decided meanwhile")
			f.again(md5)
			pause = failedFor
		}
		if pace.Sleep(ctx, pause) != nil {
			return
		}
	}
}

func (f *fetcher) next() (md5 string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return "", false
	}
	md5, f.queue = f.queue[0], f.queue[1:]
	return md5, true
}

// again puts a hash back in the queue, at its end.
func (f *fetcher) again(md5 string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, md5)
}

// fetch requests one record, unless it has become known meanwhile.
func (f *fetcher) fetch(ctx context.Context, md5 string) error {
	if _, known := f.store.memory.find(md5, ""); known {
		f.done(md5, false)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	b, err := f.reader.Binary(ctx, md5)
	switch {
	case errors.Is(err, edr.ErrUnknownBinary):
		f.done(md5, true)
		return nil
	case err != nil:
		return err
	}
	f.store.learn(Record{MD5: md5, SHA256: strings.ToLower(b.SHA256), Image: events.NewImage(events.ImageInfo{
		OriginalName: b.OriginalName, Description: b.Description, Product: b.Product, Company: b.Company,
		Publisher: b.Publisher, Signed: b.SignResult == "Signed", SignResult: b.SignResult,
	})})
	f.done(md5, false)
	return nil
}

// done ends the request for a hash; absent: the server does not have it.
func (f *fetcher) done(md5 string, absent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wanted, md5)
	if !absent {
		return
	}
	if len(f.absent) >= maxWanted {
		f.absent = map[string]time.Time{}
	}
	f.absent[md5] = f.store.cfg.Now()
}
