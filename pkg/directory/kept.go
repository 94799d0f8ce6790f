package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/internal/pace"
	"edrpipe/pkg/seal"
)

// Store keeps the types that events have said, for all replicas and over restarts.
type Store interface {
	// Update replaces the record of a key by what change makes of it, atomically among
	// all replicas. change gets nil where there is no record, and may be called several
	// times; a result of nil leaves the record as it is.
	Update(ctx context.Context, key string, change func(record []byte) ([]byte, error)) error
}

const (
	shards   = 32              // records of one server's types: at most some 150 KiB each
	keepPace = time.Second     // between writes
	lastKeep = 5 * time.Second // for what is left to be written at the end
)

func (d *Directory) shardKey(shard uint32) string {
	return fmt.Sprintf("types.%x.%02d", d.cfg.Server.Name(), shard)
}

func shardOf(id string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum32() % shards
}

// Load reads the types that events had said before the start, here or at other replicas.
// Call it before the first event: until then they would count as unknown. What an error
// concerns stays unknown; the rest is read.
func (d *Directory) Load(ctx context.Context) error {
	if d.cfg.Store == nil {
		return nil
	}
	errs := make([]error, shards)
	var g errgroup.Group
	for shard := range uint32(shards) {
		g.Go(func() error { errs[shard] = d.loadShard(ctx, shard); return nil })
	}
	_ = g.Wait() // each has its own error
	return errors.Join(errs...)
}

func (d *Directory) loadShard(ctx context.Context, shard uint32) error {
	kept := map[string]string{}
	err := d.cfg.Store.Update(ctx, d.shardKey(shard), func(record []byte) ([]byte, error) {
		return nil, decodeTypes(record, &kept)
	})
	if err != nil {
		return fmt.Errorf("types of endpoints of server %s: %w", d.cfg.Server.Name(), err)
	}
	d.heard.mu.Lock()
	defer d.heard.mu.Unlock()
	for id, typ := range kept {
		if _, ours := d.heard.unkept[id]; !ours { // heard later
			d.heard.put(id, typ)
		}
	}
	return nil
}

func decodeTypes(record []byte, into *map[string]string) error {
	clear(*into)
	if len(record) == 0 {
		return nil
	}
	if err := seal.Strict(record, into); err != nil {
		clear(*into)
		return fmt.Errorf("%w: %w", seal.ErrForeign, err)
	}
	return nil
}

// keep writes what events say of types until ctx ends, and then what is left.
func (d *Directory) keep(ctx context.Context) {
	for {
		select {
		case <-d.heard.changed:
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastKeep) // outlives the service's work
			defer cancel()
			if err := d.write(ctx); err != nil {
				d.cfg.Log.Warn().Err(err).Str("server", d.cfg.Server.Name()).Msg("types of endpoints could not be stored; they are unknown after a start until events say them again")
			}
			return
		}
		wait := keepPace
		if err := d.write(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.Warn().Err(err).Str("server", d.cfg.Server.Name()).Dur("again_in", longestRetry).Msg("types of endpoints could not be stored; it is tried again")
			wait = longestRetry
		}
		_ = pace.Sleep(ctx, wait) // what is left is written at the end
	}
}

// write writes all that is not stored yet. What could not be written stays noted.
func (d *Directory) write(ctx context.Context) error {
	t := &d.heard
	t.mu.Lock()
	all := t.unkept
	t.unkept = nil
	t.mu.Unlock()
	byShard := map[uint32]map[string]string{}
	for id, typ := range all {
		shard := shardOf(id)
		if byShard[shard] == nil {
			byShard[shard] = map[string]string{}
		}
		byShard[shard][id] = typ
	}
	var errs []error
	for shard, said := range byShard {
		if err := d.cfg.Store.Update(ctx, d.shardKey(shard), merged(said)); err != nil {
			errs = append(errs, err)
			d.unwritten(said)
		}
	}
	return errors.Join(errs...)
}

// merged adds types to a record.
func merged(said map[string]string) func([]byte) ([]byte, error) {
	return func(record []byte) ([]byte, error) {
		kept, news := map[string]string{}, false
		if err := decodeTypes(record, &kept); err != nil {
			return nil, err
		}
		for id, typ := range said {
			old, there := kept[id]
			if old == typ || !there && len(kept) >= maxHeard/shards {
				continue
			}
			kept[id], news = typ, true
		}
		if !news {
			return nil, nil
		}
		return json.Marshal(kept)
	}
}

// unwritten notes types again that could not be written, unless later ones are there.
func (d *Directory) unwritten(said map[string]string) {
	t := &d.heard
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unkept == nil {
		t.unkept = map[string]string{}
	}
	for id, typ := range said {
		if _, later := t.unkept[id]; !later {
			t.unkept[id] = typ
		}
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
}
