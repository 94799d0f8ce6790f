package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

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
