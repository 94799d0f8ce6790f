package service

import (
	"cmp"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/health"
	"edrpipe/internal/quarantine"
	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
)

// stopped opens the bus of the place, without a replica that reads it, for f.
func (w *recordsWorld) stopped(t *testing.T, f func(r running)) {
	t.Helper()
	s, err := w.place.on(t).open()
	if err != nil {
		t.Fatal(err)
	}
	f(running{s, t})
	if s.sources.carry != nil { // which else ends as the reading does
		_ = s.sources.carry.Close() // it has carried nothing
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// part runs one part of a test, without which there is no next.
func part(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	if !t.Run(name, f) {
		t.FailNow()
	}
}

// TestEveryRecordAtTheStart is the long form of both tests of random bytes: a replica starts
// with one record of each kind of the streams without seals replaced, one after the other;
// then with every record of all buckets, and last with every record of all streams.
func TestEveryRecordAtTheStart(t *testing.T) {
	t.Parallel()
	if !*everyRecord {
		t.Skip("starts a replica some twenty times: make prove-records")
	}
	w := newRecordsWorld(t)
	part(t, "fill", func(t *testing.T) { w.run(t); w.fill() })
	tried := w.eachAtTheStart(t)
	t.Logf("%d times one record of a stream was random bytes at the start", tried)
	part(t, "every record of the buckets", w.everyBucket)
	part(t, "every record of the streams", w.everyStream)
}

// eachAtTheStart returns how many kinds of records were tried.
func (w *recordsWorld) eachAtTheStart(t *testing.T) (tried int) {
	last := func(a, b string) int { // from then on, the check of the log is degraded
		return cmp.Or(cmp.Compare(strings.Index(a, bus.StreamAudit), strings.Index(b, bus.StreamAudit)), cmp.Compare(a, b))
	}
	for _, stream := range slices.SortedFunc(maps.Keys(plainStreams), last) {
		for _, subject := range plainStreams[stream] {
			part(t, subject, func(t *testing.T) {
				w.stopped(t, func(r running) { r.noise(stream, subject) })
				w.run(t)
				if strings.HasPrefix(stream, "OBJ_") {
					w.damagedFile()
				}
				w.works()
				w.r.pages()
				if c := w.r.checkOf("audit"); (c.State == health.Degraded) != (stream == bus.StreamAudit) {
					t.Errorf("the check of the audit log: %+v", c)
				}
				w.fill()
				tried++
			})
		}
	}
	return tried
}

// everyBucket has all records with seals replaced: each is in quarantine unless it was
// written again, and nothing is acted on until a person has dropped each and resumed.
func (w *recordsWorld) everyBucket(t *testing.T) {
	fouled := map[[2]string]uint64{} // bucket and key, with the revision of the noise
	w.stopped(t, func(r running) {
		for _, s := range bus.SealedStores() {
			for key := range r.records(s) {
				if kind, ok := quarantine.KindOf(s.Name, key); ok && !kind.Bare {
					r.foul(s.Name, key)
				}
			}
			for key, revision := range r.records(s) {
				if kind, ok := quarantine.KindOf(s.Name, key); ok && !kind.Bare {
					fouled[[2]string{s.Name, key}] = revision
				}
			}
		}
	})
	w.run(t)
	w.idle()
	all, err := w.r.quarantine.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[[2]string]bool{}
	for _, q := range all {
		listed[[2]string{q.Bucket, q.Key}] = true
	}
	for _, s := range bus.SealedStores() {
		for key, revision := range w.r.records(s) {
			if at := [2]string{s.Name, key}; fouled[at] == revision && !listed[at] {
				t.Errorf("%s of %s is noise and not in quarantine", key, s.Name)
			}
		}
	}
	t.Logf("%d records of the buckets were random bytes at the start, %d in quarantine, the others written again", len(fouled), len(all))
	w.dropAll(all)
}

// dropAll drops each record in quarantine, and resumes.
func (w *recordsWorld) dropAll(all []quarantine.Record) {
	t := w.r.t
	t.Helper()
	for _, q := range all {
		err := w.r.console.DropRecord(t.Context(), web.User{Name: "ada"}, web.Quarantined{Bucket: q.Bucket, Key: q.Key, Why: "a test"})
		if err != nil && !errors.Is(err, quarantine.ErrNotThere) { // some are written again meanwhile
			t.Errorf("drop %s of %s: %v", q.Key, q.Bucket, err)
		}
	}
	w.idle()
	if err := w.r.console.Resume(t.Context(), web.User{Name: "ada"}, web.Switching{Why: "looked at all"}); err != nil {
		t.Fatal(err)
	}
	await(t, 60*time.Second, "a good check of records", func() bool { return w.r.checkOf("records").State == health.OK })
	w.works()
}

// everyStream has all records without seals replaced, but those of the audit log, which
// cannot be removed.
func (w *recordsWorld) everyStream(t *testing.T) {
	n := 0
	w.stopped(t, func(r running) {
		for stream := range plainStreams {
			if stream != bus.StreamAudit {
				n += r.noiseEverywhere(stream)
			}
		}
	})
	t.Logf("%d records of the streams were random bytes at the start", n)
	w.run(t)
	w.works()
	w.r.pages()
}

// noiseEverywhere replaces every record of a stream, and returns their number.
func (r running) noiseEverywhere(stream string) (n int) {
	r.t.Helper()
	s, err := r.bus.JetStream().Stream(r.t.Context(), stream)
	if err != nil {
		r.t.Fatal(err)
	}
	of := map[uint64]string{}
	err = bus.Each(r.t.Context(), r.bus.JetStream(), stream, func(m natsjs.Msg, meta *natsjs.MsgMetadata) error {
		of[meta.Sequence.Stream] = m.Subject()
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	for sequence, subject := range of {
		noise := make([]byte, 300)
		_, _ = rand.Read(noise)
		if err := s.DeleteMsg(r.t.Context(), sequence); err != nil {
			r.t.Fatal(err)
		}
		if _, err := r.bus.JetStream().Publish(r.t.Context(), subject, noise); err != nil {
			r.t.Fatal(err)
		}
	}
	return len(of)
}
