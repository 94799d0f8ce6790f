package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// KV is a Store in two JetStream buckets. A record is created only where its key
// has never been used, changed only at its revision, and carries a checksum.
//
// When a job is archived its key in the live bucket keeps a marker for a while.
// Create first asks the finished ones and then for a key without history, so a
// re-delivered event cannot slip in between the two however late it comes.
type KV struct {
	js       jetstream.JetStream
	live     jetstream.KeyValue
	finished jetstream.KeyValue
}

// markerTTL is how long the key of an archived job stays taken in the live
// bucket: longer than any request that was under way can take.
const markerTTL = 10 * time.Minute

// OpenKV opens a Store on existing buckets and turns on what it needs of the live
// one's stream: batches that are written whole or not at all, and markers that
// expire. It takes a NATS server of version 2.12 or later.
func OpenKV(ctx context.Context, js jetstream.JetStream, live, finished string) (*KV, error) {
	k := &KV{js: js}
	var err error
	if k.live, err = js.KeyValue(ctx, live); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", live, err)
	}
	if k.finished, err = js.KeyValue(ctx, finished); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", finished, err)
	}
	stream, err := js.Stream(ctx, "KV_"+live)
	if err != nil {
		return nil, fmt.Errorf("stream of bucket %s: %w", live, err)
	}
	cfg := stream.CachedInfo().Config
	if cfg.AllowAtomicPublish && cfg.AllowMsgTTL && cfg.SubjectDeleteMarkerTTL > 0 {
		return k, nil
	}
	cfg.AllowAtomicPublish, cfg.AllowMsgTTL = true, true
	if cfg.SubjectDeleteMarkerTTL == 0 {
		cfg.SubjectDeleteMarkerTTL = markerTTL
	}
	if _, err := js.UpdateStream(ctx, cfg); err != nil {
		return nil, fmt.Errorf("stream of bucket %s: atomic batches and expiring markers: %w", live, err)
	}
	return k, nil
}

// maxBatch is how many records go into one atomic batch; the server takes 1,000.
const maxBatch = 500

// Create implements Store: up to 500 jobs are one atomic batch, which costs the
// disk little more than one record.
func (k *KV) Create(ctx context.Context, js []*Job) ([]bool, error) {
	created := make([]bool, len(js))
	for start := 0; start < len(js); start += maxBatch {
		end := min(start+maxBatch, len(js))
		if err := k.createBatch(ctx, js[start:end], created[start:end]); err != nil {
			return nil, err
		}
	}
	return created, nil
}

// createBatch writes the new ones of js. Should somebody else create one of them
// at the same moment, the batch is refused whole and asked for again without it.
func (k *KV) createBatch(ctx context.Context, js []*Job, created []bool) error {
	for {
		var msgs []*nats.Msg
		var fresh []int
		seen := map[string]bool{}
		for i, j := range js {
			known, err := k.known(ctx, j.ID)
			if err != nil {
				return err
			}
			if known || seen[j.ID] {
				continue
			}
			seen[j.ID] = true
			data, err := encodeRecord(j)
			if err != nil {
				return err
			}
			m := nats.NewMsg("$KV." + k.live.Bucket() + "." + j.ID)
			m.Data = data
			m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
			msgs, fresh = append(msgs, m), append(fresh, i)
		}
		if len(msgs) == 0 {
			return nil
		}
		last, err := k.publishBatch(ctx, msgs)
		if isConflict(err) {
			if err := sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("record %d jobs: %w", len(msgs), err)
		}
		for n, i := range fresh {
			created[i] = true
			js[i].Revision = last - uint64(len(fresh)-1-n)
		}
		return nil
	}
}

// known tells whether a job was ever recorded.
func (k *KV) known(ctx context.Context, id string) (bool, error) {
	for _, bucket := range []jetstream.KeyValue{k.finished, k.live} {
		_, err := bucket.Get(ctx, id)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return false, fmt.Errorf("job %s: %w", id, err)
		}
	}
	return false, nil
}

// publishBatch writes messages to the live bucket's stream, all or none, and
// returns the sequence of the last.
func (k *KV) publishBatch(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	nc := k.js.Conn()
	id := NewID()
	for i, m := range msgs {
		m.Header.Set("Nats-Batch-Id", id)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		if i < len(msgs)-1 {
			if err := nc.PublishMsg(m); err != nil {
				return 0, err
			}
		}
	}
	commit := msgs[len(msgs)-1]
	commit.Header.Set("Nats-Batch-Commit", "1")
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	reply, err := nc.RequestMsgWithContext(ctx, commit)
	if err != nil {
		return 0, err
	}
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("answer to a batch: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	return ack.Sequence, nil
}

const batchTimeout = 10 * time.Second

// isConflict tells whether a write was refused because of the key's revision.
// The code differs on a replicated stream.
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) ||
		errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == wrongLastSequenceConstant)
}

// wrongLastSequenceConstant is JSStreamWrongLastSequenceConstantErr of the server.
const wrongLastSequenceConstant = 10164

// Get implements Store. The live ones are asked first: a job leaves them only
// after it is among the finished.
func (k *KV) Get(ctx context.Context, id string) (*Job, error) {
	for _, bucket := range []jetstream.KeyValue{k.live, k.finished} {
		entry, err := bucket.Get(ctx, id)
		switch {
		case err == nil:
			return decodeRecord(entry.Key(), entry.Value(), entry.Revision())
		case errors.Is(err, jetstream.ErrInvalidKey):
			return nil, fmt.Errorf("job %q: %w", id, ErrNoJob)
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			return nil, fmt.Errorf("job %s: %w", id, err)
		}
	}
	return nil, fmt.Errorf("job %s: %w", id, ErrNoJob)
}

// Update implements Store.
func (k *KV) Update(ctx context.Context, j *Job) error {
	data, err := encodeRecord(j)
	if err != nil {
		return err
	}
	revision, err := k.live.Update(ctx, j.ID, data, j.Revision)
	if isConflict(err) {
		return fmt.Errorf("job %s at revision %d: %w", j.ID, j.Revision, ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("write job %s: %w", j.ID, err)
	}
	j.Revision = revision
	return nil
}

// Archive implements Store. Between its two writes the job is in both buckets;
// after a crash there it is archived again.
func (k *KV) Archive(ctx context.Context, j *Job) error {
	data, err := encodeRecord(j)
	if err != nil {
		return err
	}
	if _, err := k.finished.Put(ctx, j.ID, data); err != nil {
		return fmt.Errorf("archive job %s: %w", j.ID, err)
	}
	err = k.live.Purge(ctx, j.ID, jetstream.LastRevision(j.Revision), jetstream.PurgeTTL(markerTTL))
	switch {
	case err == nil:
		return nil
	case isConflict(err):
		if _, gone := k.live.Get(ctx, j.ID); errors.Is(gone, jetstream.ErrKeyNotFound) {
			return nil // another replica was quicker
		}
		return fmt.Errorf("job %s at revision %d: %w", j.ID, j.Revision, ErrConflict)
	}
	return fmt.Errorf("archive job %s: %w", j.ID, err)
}

// Watch implements Store. A record that cannot be read ends it with ErrDamaged:
// work that was accepted is missing, and somebody has to know. A lost connection
// ends it, too: the bus resumes a watch only some time after its return, and what
// others record meanwhile would be missing unnoticed.
func (k *KV) Watch(ctx context.Context, see func(Change)) (err error) {
	lost := k.js.Conn().StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer k.js.Conn().RemoveStatusListener(lost)
	watcher, err := k.live.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch bucket %s: %w", k.live.Bucket(), err)
	}
	defer func() {
		if stopped := watcher.Stop(); err == nil {
			err = stopped
		}
	}()
	synced := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-lost:
			return fmt.Errorf("watch bucket %s: the connection is lost", k.live.Bucket())
		case entry, ok := <-watcher.Updates():
			switch {
			case !ok:
				return fmt.Errorf("watch bucket %s: the bus ended it", k.live.Bucket())
			case entry == nil:
				synced = true
				see(Change{Synced: true})
			case entry.Operation() != jetstream.KeyValuePut:
				if synced {
					see(Change{ID: entry.Key()})
				}
			default:
				j, err := decodeRecord(entry.Key(), entry.Value(), entry.Revision())
				if err != nil {
					return err
				}
				see(Change{ID: j.ID, Job: j})
			}
		}
	}
}

// Finished implements Store.
func (k *KV) Finished(ctx context.Context, since time.Time) ([]*Job, error) {
	consumer, err := k.js.OrderedConsumer(ctx, "KV_"+k.finished.Bucket(), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
		InactiveThreshold: batchTimeout, // lists are asked for again and again, and a stream has few consumers
	})
	if err != nil {
		return nil, fmt.Errorf("read bucket %s: %w", k.finished.Bucket(), err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read bucket %s: %w", k.finished.Bucket(), err)
	}
	var all []*Job
	for left := info.NumPending; left > 0; {
		batch, err := consumer.Fetch(int(min(left, maxBatch)), jetstream.FetchMaxWait(batchTimeout))
		if err != nil {
			return nil, fmt.Errorf("read bucket %s: %w", k.finished.Bucket(), err)
		}
		got := uint64(0)
		for m := range batch.Messages() {
			got++
			meta, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			if len(m.Data()) == 0 {
				continue // a marker
			}
			j, err := decodeRecord(m.Subject(), m.Data(), meta.Sequence.Stream)
			if err != nil {
				return nil, err
			}
			all = append(all, j)
		}
		if err := batch.Error(); err != nil {
			return nil, fmt.Errorf("read bucket %s: %w", k.finished.Bucket(), err)
		}
		if got == 0 {
			break
		}
		left -= min(got, left)
	}
	return all, nil
}

// A record on the bus is "1 ", the CRC-32C of what follows in hex, a space, and
// the job as JSON: readable with the bus's own tools, and any flipped bit shows.
const recordVersion = "1 "

const recordHead = len(recordVersion) + 8 + 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeRecord(j *Job) ([]byte, error) {
	data, err := marshal(j)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("%s%08x ", recordVersion, crc32.Checksum(data, castagnoli))
	return append([]byte(head), data...), nil
}

func decodeRecord(key string, data []byte, revision uint64) (*Job, error) {
	if len(data) < recordHead || string(data[:len(recordVersion)]) != recordVersion {
		return nil, fmt.Errorf("record %s is of no known form: %w", key, ErrDamaged)
	}
	body := data[recordHead:]
	if got, want := fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)), string(data[len(recordVersion):recordHead-1]); got != want {
		return nil, fmt.Errorf("record %s has checksum %s and says %s: %w", key, got, want, ErrDamaged)
	}
	j := new(Job)
	if err := json.Unmarshal(body, j); err != nil {
		return nil, fmt.Errorf("record %s: %w: %w", key, err, ErrDamaged)
	}
	j.Revision = revision
	return j, nil
}
