package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
)

// state lists the streams that hold state. A job moves from live to finished, so
// live ones come first: a job may then be in the file twice, which start-up
// settles, but never be missing.
func state(artifacts bool) []string {
	names := []string{
		"KV_" + bus.BucketJobs, "KV_" + bus.BucketFinished, "KV_" + bus.BucketControl,
		bus.StreamAudit, bus.StreamResults, bus.StreamJobs, bus.StreamDead,
	}
	if artifacts {
		names = append(names, "OBJ_"+bus.BucketArtifacts)
	}
	return names
}

// Options of an export. Progress may be nil.
type Options struct {
	Artifacts bool // also the collected files
	Progress  func(done, all int)
}

// Summary counts the records exported or imported.
type Summary struct {
	Records int
	Streams map[string]int // records by stream
}

// Export writes the state to w, each stream as it is when its turn comes.
func Export(ctx context.Context, b *bus.Bus, w io.Writer, o Options) (Summary, error) {
	s := Summary{Streams: map[string]int{}}
	h := Header{Form: "state", Version: version, Created: time.Now().UTC(), Streams: map[string]uint64{}}
	all := 0
	for _, name := range state(o.Artifacts) {
		stream, err := b.JetStream().Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return s, fmt.Errorf("this bus has no stream %s: has the service ever run on it?", name)
		}
		if err != nil {
			return s, fmt.Errorf("stream %s: %w", name, err)
		}
		h.Streams[name] = stream.CachedInfo().State.Msgs
		all += int(h.Streams[name])
	}
	out, err := newWriter(w, h)
	if err != nil {
		return s, err
	}
	for _, name := range state(o.Artifacts) {
		err := each(ctx, b.JetStream(), name, func(r record) error {
			s.Streams[name]++
			s.Records++
			if o.Progress != nil {
				o.Progress(s.Records, all)
			}
			return out.record(r)
		})
		if err != nil {
			return s, fmt.Errorf("export %s: %w", name, err)
		}
	}
	return s, out.close()
}

// readAhead is the number of messages in one fetch.
const readAhead = 256

// each visits the messages in a stream at this moment, in order, without the markers of
// deleted keys.
func each(ctx context.Context, js jetstream.JetStream, name string, visit func(record) error) error {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return err
	}
	if stream.CachedInfo().State.Msgs == 0 {
		return nil
	}
	last := stream.CachedInfo().State.LastSeq
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(readAhead))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if !marker(m.Headers()) {
			if err := visit(record{Stream: name, Subject: m.Subject(), At: meta.Timestamp.UTC(), Headers: m.Headers(), Data: m.Data()}); err != nil {
				return err
			}
		}
		if meta.NumPending == 0 || meta.Sequence.Stream >= last {
			return nil
		}
	}
}

// marker reports whether a message only says that a key is gone.
func marker(h map[string][]string) bool {
	return h["KV-Operation"] != nil || h["Nats-Marker-Reason"] != nil
}
