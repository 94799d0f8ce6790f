package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/seal"
)

// checkKey is the record by which replicas see that they have one key.
const checkKey = "seal.check"

// markFile in the data directory says with which key this replica has met its bus.
const markFile = "state.sealed"

// ErrOtherKey means that the records of the bus are sealed with another key than the one
// that was just made here.
var ErrOtherKey = errors.New("the records of the bus are sealed with another key")

// Meet compares the key of this replica with the records on the bus, at every start.
// The first start of a bus with a key seals the records that have no seal yet: those of
// a version before. That happens once; later a record without a seal is foreign. fresh
// says that the key was made for this start.
func (q *Quarantine) Meet(ctx context.Context, data string, fresh bool) error {
	mark := filepath.Join(data, markFile)
	met, err := os.ReadFile(mark)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	entry, err := q.read(ctx, bus.BucketControl, checkKey)
	switch {
	case errors.Is(err, ErrNotThere):
		if strings.TrimSpace(string(met)) != q.Keeper.Key().ID() {
			if err := q.sealAll(ctx); err != nil {
				return fmt.Errorf("seal the records of the version before: %w", err)
			}
		} else {
			q.Log.Warn().Msg("the bus does not say with which key its records are sealed, though this replica has met it: is it another bus?")
		}
		if err := q.writeCheck(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	case fresh && q.Strange():
		return fmt.Errorf("%w: copy the key file of the replica that was first to %s, or name it in state_key_file (bus: %s)", ErrOtherKey, filepath.Join(data, "state.key"), seal.Content(entry.Data))
	}
	if q.Strange() {
		return nil // told, and held
	}
	return os.WriteFile(mark, []byte(q.Keeper.Key().ID()+"\n"), 0o600)
}

// Strange reports whether the bus does not show that its records have this replica's key.
func (q *Quarantine) Strange() bool {
	for _, f := range q.Keeper.Foreign() {
		if f.Bucket == bus.BucketControl && f.Key == checkKey {
			return true
		}
	}
	return false
}

func (q *Quarantine) writeCheck(ctx context.Context) error {
	kv, err := q.Bus.Bucket(ctx, bus.BucketControl)
	if err != nil {
		return err
	}
	_, err = kv.Create(ctx, checkKey, []byte("key "+q.Keeper.Key().ID()))
	if errors.Is(err, jetstream.ErrKeyExists) { // another replica was quicker
		_, err = q.read(ctx, bus.BucketControl, checkKey)
	}
	if err != nil {
		return fmt.Errorf("write %s of bucket %s: %w", checkKey, bus.BucketControl, err)
	}
	return nil
}

// maxBatch is how many records are sealed with one write.
const maxBatch = 100

// sealAll seals every record that has no seal and is what a version before wrote.
func (q *Quarantine) sealAll(ctx context.Context) error {
	for _, store := range stores {
		bucket := store.Name
		if bucket == bus.StreamBinaries {
			continue // no version wrote it without seals
		}
		var batch []*nats.Msg
		sealed, left := 0, 0
		flush := func() error {
			if len(batch) == 0 {
				return nil
			}
			err := write(ctx, q.Bus.JetStream(), batch)
			sealed, batch = sealed+len(batch), nil
			return err
		}
		err := each(ctx, q.Bus.JetStream(), store, func(key string, m jetstream.Msg, revision uint64) error {
			if seal.Sealed(m.Data()) {
				return nil
			}
			if wellFormed(bucket, key, m.Data()) != nil {
				left++
				return nil
			}
			out, err := again(q.Keeper, bucket, key, m, revision)
			if err != nil || out == nil {
				return err
			}
			if batch = append(batch, out); len(batch) < maxBatch {
				return nil
			}
			return flush()
		})
		if err = errors.Join(err, flush()); err != nil {
			return fmt.Errorf("bucket %s: %w", bucket, err)
		}
		if sealed+left == 0 {
			continue
		}
		if q.Adopted != nil {
			if err := q.Adopted(ctx, bucket, sealed, left); err != nil {
				return fmt.Errorf("bucket %s: record that its records were sealed: %w", bucket, err)
			}
		}
		q.Log.Warn().Str("bucket", bucket).Int("sealed", sealed).Int("left", left).Str("key", q.Keeper.Key().ID()).
			Msg("records of a version before were sealed, this once; from now on a record without a seal is in quarantine")
	}
	return nil
}

// again is a record with a seal in place of the one of that revision, with what is left
// of its time; nil: nothing is.
func again(k *seal.Keeper, bucket, key string, m jetstream.Msg, revision uint64) (*nats.Msg, error) {
	out := nats.NewMsg(m.Subject())
	out.Data = k.Seal(bucket, key, m.Data())
	out.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	ttl := m.Headers().Get(jetstream.MsgTTLHeader)
	if ttl == "" {
		return out, nil
	}
	lasts, err := time.ParseDuration(ttl)
	if err != nil {
		return nil, fmt.Errorf("record %s: time to live %q: %w", m.Subject(), ttl, err)
	}
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	left := (lasts - time.Since(meta.Timestamp)).Truncate(time.Second)
	if left <= 0 {
		return nil, nil
	}
	out.Header.Set(jetstream.MsgTTLHeader, left.String())
	return out, nil
}

func write(ctx context.Context, js jetstream.JetStream, batch []*nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if len(batch) == 1 {
		_, err := js.PublishMsg(ctx, batch[0])
		return err
	}
	_, err := jetstreamext.PublishMsgBatch(ctx, js, batch, jetstreamext.BatchFlowControl{})
	return err
}

// wellFormed returns why content cannot be a record of that place.
func wellFormed(bucket, key string, content []byte) error {
	if bucket == bus.BucketJobs || bucket == bus.BucketFinished {
		return natsstore.Check(key, content)
	}
	if !json.Valid(content) && !strings.HasPrefix(key, "probe.") && key != checkKey {
		return errors.New("it is no JSON")
	}
	return nil
}
