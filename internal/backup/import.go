package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
)

// ErrNotEmpty: there is state already, which an import would mix with another.
var ErrNotEmpty = errors.New("the bus holds state already")

// Verify verifies a file and summarises its content, without a bus.
func Verify(r io.Reader) (Header, Summary, error) {
	s := Summary{Streams: map[string]int{}}
	known := state(true)
	h, n, err := read(r, func(rec record) error {
		if !slices.Contains(known, rec.Stream) {
			return fmt.Errorf("the file has records of a stream %q that this program does not know", rec.Stream)
		}
		s.Streams[rec.Stream]++
		return nil
	})
	s.Records = n
	return h, s, err
}

// Import verifies a file and writes its records to a bus without state, making missing
// streams. ErrNotEmpty and ErrDamaged are returned before the first write. After a later
// error the bus has to be emptied before the next attempt. key is that of the audit
// log's hashes; nil: they have none.
func Import(ctx context.Context, b *bus.Bus, r io.ReadSeeker, key []byte, progress func(done, all int)) (Summary, error) {
	_, s, err := Verify(r)
	if err != nil {
		return s, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return s, err
	}
	if err := b.Setup(ctx); err != nil {
		return s, err
	}
	if err := empty(ctx, b.JetStream()); err != nil {
		return s, err
	}
	w := &importer{ctx: ctx, js: b.JetStream(), now: time.Now()}
	_, _, err = read(r, func(rec record) error {
		if progress != nil {
			progress(w.done, s.Records)
		}
		return w.put(rec)
	})
	if err = errors.Join(err, w.flush()); err != nil {
		return s, fmt.Errorf("the import stopped after %d of %d records, so the bus holds a part: empty its store before the next attempt: %w", w.done, s.Records, err)
	}
	_, err = audit.Verify(ctx, &audit.Stream{JetStream: b.JetStream(), Name: bus.StreamAudit, Subject: "edr.audit"}, key)
	if damage := (*audit.Damage)(nil); errors.As(err, &damage) {
		return s, fmt.Errorf("everything is imported, but the audit log does not verify (has this deployment the key of the old one, state.key?): %w", err)
	}
	return s, err
}

func empty(ctx context.Context, js jetstream.JetStream) error {
	for _, name := range state(true) {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
		if st := stream.CachedInfo().State; st.LastSeq > 0 {
			return fmt.Errorf("%w: stream %s has %d records: import into a new one", ErrNotEmpty, name, st.Msgs)
		}
	}
	return nil
}

// importer writes records, some on their way at a time, in order.
type importer struct {
	ctx   context.Context // of the one import
	js    jetstream.JetStream
	now   time.Time
	asked []jetstream.PubAckFuture
	done  int
}

// window is how many records are on their way at once.
const window = 200

func (w *importer) put(r record) error {
	m := nats.NewMsg(r.Subject)
	m.Data = r.Data
	for k, v := range r.Headers {
		if !ofWriting(k) {
			m.Header[k] = v
		}
	}
	if ttl := r.Headers[jetstream.MsgTTLHeader]; len(ttl) > 0 {
		left, err := remaining(ttl[0], r.At, w.now)
		if err != nil {
			return fmt.Errorf("record %s: %w", r.Subject, err)
		}
		if left <= 0 {
			w.done++
			return nil // it has expired since
		}
		m.Header.Set(jetstream.MsgTTLHeader, left.String())
	}
	future, err := w.js.PublishMsgAsync(m, jetstream.WithExpectStream(r.Stream))
	if err != nil {
		return fmt.Errorf("record %s: %w", r.Subject, err)
	}
	if w.asked = append(w.asked, future); len(w.asked) >= window {
		return w.flush()
	}
	return nil
}

// flush waits until everything on its way is stored.
func (w *importer) flush() error {
	for _, f := range w.asked {
		select {
		case <-f.Ok():
			w.done++
		case err := <-f.Err():
			return fmt.Errorf("record %s: %w", f.Msg().Subject, err)
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
	w.asked = w.asked[:0]
	return nil
}

// ofWriting reports whether a header controlled the original write.
func ofWriting(header string) bool {
	return strings.HasPrefix(header, "Nats-Expected-") || strings.HasPrefix(header, "Nats-Batch-") ||
		header == jetstream.MsgIDHeader || header == jetstream.MsgTTLHeader
}

// remaining is what is left of a record's time to live, in whole seconds.
func remaining(ttl string, at, now time.Time) (time.Duration, error) {
	d, err := time.ParseDuration(ttl)
	if err != nil {
		return 0, fmt.Errorf("time to live %q: %w", ttl, err)
	}
	return (d - now.Sub(at)).Truncate(time.Second), nil
}
