// Package grouped writes messages to a stream with group commit: messages that arrive
// together are one atomic batch.
//
// A stream that flushes each write to disk, as those of jobs and control state do by
// default, takes about 1,000 messages a second one by one, and many times that in
// batches. Each message keeps its own answer and its own conditions: a caller cannot
// observe the grouping.
package grouped

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	most   = 500     // messages of a batch; the server takes 1,000
	bytes  = 4 << 20 // of a batch, unless one message alone is larger
	within = 10 * time.Second
)

// Writer writes to one stream, which has to allow atomic batches. It is safe for
// concurrent use.
type Writer struct {
	js   jetstream.JetStream
	turn chan struct{} // holds one: who writes for all that wait

	costs costs // owned by the writer that holds the turn

	mu   sync.Mutex
	line []*write
}

// write is a pending message. All fields but done belong to the writer that holds the
// turn.
type write struct {
	ctx  context.Context
	msg  *nats.Msg
	seq  uint64
	err  error
	done chan struct{} // closed when seq and err are known
}

// A noter is a JetStream that records the outcome of batches; the outcomes of single
// messages it sees itself.
type noter interface {
	Wrote(subject string, err error)
}

// New returns a writer; the stream is the one that has the messages' subjects.
func New(js jetstream.JetStream) *Writer { return &Writer{js: js, turn: make(chan struct{}, 1)} }

// Write returns the sequence of a message after the stream has stored it. The
// conditions in its headers hold as for a single write. After an error other than one
// of JetStream's API it is unknown whether the message was stored.
func (w *Writer) Write(ctx context.Context, m *nats.Msg) (uint64, error) {
	x := &write{ctx: ctx, msg: m, done: make(chan struct{})}
	w.mu.Lock()
	w.line = append(w.line, x)
	w.mu.Unlock()
	for {
		select {
		case <-x.done:
			return x.seq, x.err
		case <-ctx.Done():
			return 0, fmt.Errorf("write %s: %w", m.Subject, context.Cause(ctx))
		case w.turn <- struct{}{}:
			w.flush(w.next())
			<-w.turn
		}
	}
}

// next takes the oldest pending messages, in order. Messages whose callers have given
// up are dropped: those callers have an error that leaves the outcome open.
func (w *Writer) next() (batch []*write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size, n := 0, 0
	for ; n < len(w.line) && len(batch) < most; n++ {
		x := w.line[n]
		if x.ctx.Err() != nil {
			continue
		}
		if size += x.msg.Size(); size > bytes && len(batch) > 0 {
			break
		}
		batch = append(batch, x)
	}
	w.line = w.line[n:]
	return batch
}

// flush writes the messages and answers each caller. A batch that the server refuses
// is written one by one, so that each message has its own answer.
func (w *Writer) flush(batch []*write) {
	if w.costs.together(len(batch)) {
		begun := time.Now()
		err := w.together(batch)
		var refused *jetstream.APIError
		if !errors.As(err, &refused) {
			w.costs.batch.took(time.Since(begun))
			if js, ok := w.js.(noter); ok {
				js.Wrote(batch[0].msg.Subject, err)
			}
			for _, x := range batch {
				x.err = err
				close(x.done)
			}
			return
		}
	}
	begun := time.Now()
	var each sync.WaitGroup
	for _, x := range batch {
		each.Go(func() {
			defer close(x.done)
			ack, err := w.js.PublishMsg(x.ctx, x.msg)
			if x.err = err; err == nil {
				x.seq = ack.Sequence
			}
		})
	}
	each.Wait()
	if len(batch) > 1 {
		w.costs.single.took(time.Since(begun) / time.Duration(len(batch)))
	}
}

// together writes one atomic batch. It is not for one of those who wait to end it.
func (w *Writer) together(batch []*write) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), within)
	defer cancel()
	msgs := make([]*nats.Msg, len(batch))
	for i, x := range batch {
		msgs[i] = x.msg
	}
	last, err := Batch(ctx, w.js, msgs)
	if err != nil {
		return err
	}
	for i, x := range batch {
		x.seq = last - uint64(len(batch)-1-i)
	}
	return nil
}

// header returns a copy with the headers of an atomic batch.
func header(m *nats.Msg) nats.Header {
	h := make(nats.Header, len(m.Header)+3)
	for k, v := range m.Header {
		h[k] = v
	}
	return h
}
