package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/jobs/job"
)

// barrierKey is written to see whether a watch keeps up. No job has such an id.
const barrierKey = "watch.barrier"

// Barrier implements Store. A server that keeps the stream alone knows its last
// message; of a replicated stream only a write tells, since a leader that was
// deposed does not know of it at once. A write is also what helps where the last
// message is a marker that has expired, which no watcher will ever see.
func (k *Store) Barrier(ctx context.Context, seen func() uint64) (uint64, error) {
	if k.stream.CachedInfo().Config.Replicas <= 1 {
		info, err := k.stream.Info(ctx)
		if err != nil {
			return 0, fmt.Errorf("ask bucket %s for its last revision: %w", k.live.Bucket(), err)
		}
		last := info.State.LastSeq
		if last <= seen() { // what was on its way when we asked has often come by now
			return last, nil
		}
		if _, err := k.stream.GetMsg(ctx, last); err == nil {
			return last, nil
		}
	}
	revision, err := k.live.Put(ctx, barrierKey, nil)
	if err != nil {
		return 0, fmt.Errorf("write %s to bucket %s: %w", barrierKey, k.live.Bucket(), err)
	}
	return revision, nil
}

// Watch implements Store. A lost connection ends it: the bus resumes a watch only some time after its return, and what
// others record meanwhile would be missing unnoticed.
func (k *Store) Watch(ctx context.Context, see func(job.Change)) (err error) {
	lost := k.js.Conn().StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer k.js.Conn().RemoveStatusListener(lost)
	made, err := k.made(ctx)
	if err != nil {
		return err
	}
	watcher, err := k.live.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch bucket %s: %w", k.live.Bucket(), err)
	}
	defer func() {
		if stopped := watcher.Stop(); err == nil {
			err = stopped
		}
	}()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	synced := false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-lost:
			return fmt.Errorf("watch bucket %s: the connection is lost", k.live.Bucket())
		case <-look.C:
			if err := k.same(ctx, made); err != nil {
				return err
			}
		case entry, ok := <-watcher.Updates():
			if !ok && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if !ok {
				return fmt.Errorf("watch bucket %s: the bus ended it", k.live.Bucket())
			}
			c := k.changeOf(entry)
			if synced = synced || c.Synced; !synced && c.Job == nil && c.Foreign == nil {
				c.ID = "" // a marker of what was gone before we came
			}
			see(c)
		}
	}
}

// lookEvery is how often a watch looks whether its bucket is still the same.
const lookEvery = 2 * time.Second

// made returns when the live bucket was made.
func (k *Store) made(ctx context.Context) (time.Time, error) {
	stream, err := k.js.Stream(ctx, "KV_"+k.live.Bucket())
	if err != nil {
		return time.Time{}, fmt.Errorf("watch bucket %s: %w", k.live.Bucket(), err)
	}
	return stream.CachedInfo().Created, nil
}

// same reports, as an error, that the live bucket is missing or was made again: its
// revisions begin anew, and a watch of the bucket before sees none of them. A bus that
// does not answer tells nothing.
func (k *Store) same(ctx context.Context, made time.Time) error {
	now, err := k.made(ctx)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return err
	case err == nil && !now.Equal(made):
		return fmt.Errorf("watch bucket %s: it was deleted and made again: records in it are lost", k.live.Bucket())
	}
	return nil
}

// changeOf reads what a watcher was given; nil stands for the end of what was
// there when it began.
func (k *Store) changeOf(entry jetstream.KeyValueEntry) job.Change {
	if entry == nil {
		return job.Change{Synced: true}
	}
	c := job.Change{Revision: entry.Revision()}
	if strings.Contains(entry.Key(), ".") {
		return c // no job
	}
	c.ID = entry.Key()
	if entry.Operation() != jetstream.KeyValuePut {
		k.seal.Forget(entry.Bucket(), entry.Key())
		return c
	}
	c.Job, c.Foreign = k.decode(entry.Bucket(), entry.Key(), entry.Value(), entry.Revision())
	return c
}
