package natsstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"edrpipe/pkg/jobs/job"
)

const (
	finishedBytes = 4 << 20  // bytes of records under way to a reading
	batchRecords  = 512      // records of one request
	firstPart     = 512      // records of the first part of a reading
	partGrowth    = 2        // each part is so many times as long as the one before
	wholeRecord   = 16 << 10 // a record of up to so many bytes is listed as it is
	listedText    = 256      // bytes of each text of the event of a longer one
	listedOutput  = 1 << 10  // bytes of an output of a longer one
)

// summary is a finished job as lists have it. Of a long record it has what happened, with
// the texts of the event cut and without long outputs.
func summary(j *job.Job, size int) *job.Job {
	if size <= wholeRecord {
		return j
	}
	if j.Event != nil {
		j.Event, _ = j.Event.Clip(listedText) // Clipped says what the record itself lacks
	}
	for i := range j.Done {
		if len(j.Done[i].Output) > listedOutput {
			j.Done[i].Output = nil
		}
	}
	return j
}

// Finished implements Store. JetStream reads a stream forwards only: a part is a range of
// the stream's sequence, read forwards, and the ranges follow each other backwards.
func (k *Store) Finished(ctx context.Context, since time.Time, see func(*job.Job), enough func(time.Time) bool) error {
	stream, err := k.js.Stream(ctx, "KV_"+k.finished.Bucket())
	if err != nil {
		return fmt.Errorf("read bucket %s: %w", k.finished.Bucket(), err)
	}
	state := stream.CachedInfo().State
	for last, size := state.LastSeq, uint64(firstPart); state.Msgs > 0 && last >= state.FirstSeq; size *= partGrowth {
		part := part{first: state.FirstSeq, last: last}
		if last-state.FirstSeq >= size {
			part.first = last - size + 1
		}
		oldest, err := k.readPart(ctx, part, since, see)
		if err != nil {
			return fmt.Errorf("read bucket %s: %w", k.finished.Bucket(), err)
		}
		if !oldest.IsZero() && (oldest.Before(since) || enough != nil && enough(oldest)) {
			return nil
		}
		if part.first <= 1 {
			return nil
		}
		last = part.first - 1
	}
	return nil
}

// part is a range of the sequence of the stream of finished jobs, both ends included.
// Many of its numbers may be those of records that have expired.
type part struct{ first, last uint64 }

// readPart calls see with the jobs of a part that were archived at or after since, and
// returns when the oldest record of the part was archived; zero: it has no record.
func (k *Store) readPart(ctx context.Context, p part, since time.Time, see func(*job.Job)) (oldest time.Time, err error) {
	for p.first <= p.last {
		b, err := k.readBatch(ctx, p, func(m *jetstream.RawStreamMsg) {
			if oldest.IsZero() {
				oldest = m.Time
			}
			if !m.Time.Before(since) {
				k.seeRecord(m, see)
			}
		})
		if err != nil || b.end {
			return oldest, err
		}
		p.first = b.last + 1
	}
	return oldest, nil
}

// batch is what one request has brought.
type batch struct {
	last uint64 // sequence of its last record
	end  bool   // the part has no record after it
}

// readBatch calls visit with the first records of a part, in order: as many as fit into
// batchRecords and finishedBytes. A request leaves no reader behind on the server, as a
// consumer would.
func (k *Store) readBatch(ctx context.Context, p part, visit func(*jetstream.RawStreamMsg)) (b batch, err error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	records, err := jetstreamext.GetBatch(ctx, k.js, "KV_"+k.finished.Bucket(), int(min(p.last-p.first+1, batchRecords)),
		jetstreamext.GetBatchSeq(p.first), jetstreamext.GetBatchMaxBytes(finishedBytes))
	if err != nil {
		return b, err
	}
	for m, err := range records {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return batch{end: true}, nil
		}
		if err != nil {
			return b, err
		}
		if m.Sequence > p.last {
			return batch{b.last, true}, nil
		}
		visit(m)
		b = batch{m.Sequence, m.Sequence == p.last || m.Header.Get(pendingHeader) == "0"}
	}
	if b.last == 0 { // the client library ends in silence when time is up
		return b, cmp.Or(ctx.Err(), context.DeadlineExceeded)
	}
	return b, nil
}

// pendingHeader has the number of records after a record.
const pendingHeader = "Nats-Num-Pending"

// seeRecord gives a record to see. One that is not ours hides no other: the keeper has
// noted it.
func (k *Store) seeRecord(m *jetstream.RawStreamMsg, see func(*job.Job)) {
	if len(m.Data) == 0 {
		return // a marker
	}
	key := strings.TrimPrefix(m.Subject, "$KV."+k.finished.Bucket()+".")
	if j, err := k.decode(k.finished.Bucket(), key, m.Data, m.Sequence); err == nil {
		see(summary(j, len(m.Data)))
	}
}
