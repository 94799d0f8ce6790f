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

// each visits the records in a stream at this moment, in order.
func each(ctx context.Context, js jetstream.JetStream, name string, visit func(record) error) error {
	return bus.Each(ctx, js, name, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
		return visit(record{Stream: name, Subject: m.Subject(), At: meta.Timestamp.UTC(), Headers: m.Headers(), Data: m.Data()})
	})
}
