package service

import (
	"cmp"
	"crypto/rand"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events/jetstream"
)

// plainStreams are the streams whose records have no seals, with the kinds of their
// subjects: a star stands for what differs from record to record.
var plainStreams = map[string][]string{
	bus.StreamEvents:             {"edr.events.>"},
	bus.StreamDead:               {"edr.dead.*"},
	bus.StreamJobs:               {"edr.jobs.*.decision", "edr.jobs.*.step", "edr.jobs.*.queued", "edr.jobs.*.running", "edr.jobs.*.succeeded"},
	bus.StreamResults:            {"edr.results.>", "edr.published.>"},
	bus.StreamTenants:            {"edr.tenant.>"},
	bus.StreamAudit:              {"edr.audit"},
	"OBJ_" + bus.BucketArtifacts: {"$O.artifacts.C.*"},
}

// noise puts random bytes in the place of the newest record of a subject, which may have
// wildcards. Records of the audit stream cannot be removed: there they come behind it.
func (r running) noise(stream, subject string) {
	r.t.Helper()
	s, err := r.bus.JetStream().Stream(r.t.Context(), stream)
	if err != nil {
		r.t.Fatal(err)
	}
	last, err := s.GetLastMsgForSubject(r.t.Context(), subject)
	if err != nil {
		r.t.Fatalf("%s of stream %s: %v", subject, stream, err)
	}
	if stream != bus.StreamAudit {
		if err := s.DeleteMsg(r.t.Context(), last.Sequence); err != nil {
			r.t.Fatal(err)
		}
	}
	noise := make([]byte, 300)
	_, _ = rand.Read(noise)
	if _, err := r.bus.JetStream().Publish(r.t.Context(), last.Subject, noise); err != nil {
		r.t.Fatal(err)
	}
}

// pages reads what people see of jobs, events, dead letters, files and the log.
func (r running) pages() {
	r.t.Helper()
	ctx := r.t.Context()
	page, err := r.console.Jobs(ctx, web.JobQuery{State: "ended"})
	if err != nil {
		r.t.Errorf("jobs: %v", err)
	}
	for _, j := range page.Jobs {
		if _, err := r.console.Job(ctx, j.ID); err != nil {
			r.t.Errorf("job %s: %v", j.ID, err)
		}
	}
	_, err1 := r.console.Events(ctx, web.EventQuery{})
	_, err2 := r.console.Dead(ctx, web.DeadQuery{})
	_, err3 := r.console.Overview(ctx, 1)
	_, err4 := r.console.AuditTail(ctx, 10)
	for what, err := range map[string]error{"events": err1, "dead letters": err2, "overview": err3, "audit": err4} {
		if err != nil {
			r.t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNoRecordOfAStreamStopsTheService: a record of every kind of every stream without
// seals is random bytes, one after the other while the service runs, and all of them when
// it starts. It goes on, acts on none of them, and names those that it reads. Records with
// seals: TestNoRecordIsActedOnThatDoesNotVerify.
func TestNoRecordOfAStreamStopsTheService(t *testing.T) {
	t.Parallel()
	w := newRecordsWorld(t)
	t.Run("while running", func(t *testing.T) {
		w.run(t)
		w.fill()
		w.subjectsAreListed()
		last := func(a, b string) int { // from then on, the check of the log is degraded
			return cmp.Or(cmp.Compare(strings.Index(a, bus.StreamAudit), strings.Index(b, bus.StreamAudit)), cmp.Compare(a, b))
		}
		for _, stream := range slices.SortedFunc(maps.Keys(plainStreams), last) {
			for _, subject := range plainStreams[stream] {
				t.Run(subject, func(t *testing.T) { w.withNoise(t, stream, subject) })
			}
		}
		report, err := w.r.console.Verify(t.Context(), []audit.Head{})
		if err != nil || report.Foreign != 1 {
			t.Errorf("the audit log: %+v, %v; want one foreign block named", report, err)
		}
		w.fill()
		for stream, subjects := range plainStreams {
			for _, subject := range subjects {
				if stream != bus.StreamAudit {
					w.r.noise(stream, subject)
				}
			}
		}
	})
	t.Run("at the start", func(t *testing.T) {
		w.run(t)
		w.works()
		w.r.pages()
		if c := w.r.checkOf("audit"); c.State != health.Degraded || !strings.Contains(c.Evidence, "1 block") {
			t.Errorf("the check of the audit log: %+v", c)
		}
	})
}

// fill makes records of every kind of the streams.
func (w *recordsWorld) fill() {
	t := w.r.t
	t.Helper()
	artifact(w) // with its job, results, and what it publishes
	w.r.publish(`{"type":"ingress.event.procstart","sensor_id":1,`)
	n := w.next()
	w.r.publish(start(n, 7), strings.Replace(start(n, 7), `"pid":7,`, `"pid":8,`, 1)) // the second is suppressed
	await(t, 20*time.Second, "a decision", func() bool {
		return w.has(bus.StreamJobs, "edr.jobs.*.decision") && w.has(bus.StreamDead, "edr.dead.*")
	})
}

func (w *recordsWorld) has(stream, subject string) bool {
	s, err := w.r.bus.JetStream().Stream(w.r.t.Context(), stream)
	if err != nil {
		w.r.t.Fatal(err)
	}
	_, err = s.GetLastMsgForSubject(w.r.t.Context(), subject)
	return err == nil
}

// subjectsAreListed checks that no kind of subjects is left out.
func (w *recordsWorld) subjectsAreListed() {
	t := w.r.t
	t.Helper()
	for stream, patterns := range plainStreams {
		err := bus.Each(t.Context(), w.r.bus.JetStream(), stream, func(m natsjs.Msg, _ *natsjs.MsgMetadata) error {
			listed := strings.HasPrefix(m.Subject(), "$O.artifacts.M.") || slices.ContainsFunc(patterns, func(p string) bool { return fitsSubject(p, m.Subject()) })
			if !listed {
				t.Errorf("records of %s, as in stream %s, are in no test with random bytes", m.Subject(), stream)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func fitsSubject(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i := range p {
		if p[i] == ">" {
			return len(s) > i
		}
		if i >= len(s) || p[i] != "*" && p[i] != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

// withNoise replaces one record, and checks that the service names it and goes on.
func (w *recordsWorld) withNoise(t *testing.T, stream, subject string) {
	r := w.r
	w.r = running{r.Service, t}
	defer func() { w.r = r }()
	dead, forwarded := len(w.r.dead()), w.letters(jetstream.ReasonOutput)
	w.r.noise(stream, subject)
	switch {
	case stream == bus.StreamEvents:
		await(t, 10*time.Second, "a dead letter of the noise", func() bool { return len(w.r.dead()) > dead })
	case stream == bus.StreamResults, strings.HasSuffix(subject, ".decision"):
		await(t, 10*time.Second, "a dead letter of the output", func() bool { return w.letters(jetstream.ReasonOutput) > forwarded })
	case strings.HasPrefix(stream, "OBJ_"):
		w.damagedFile()
	}
	w.works()
	w.r.pages()
	if c := w.r.checkOf("audit"); (c.State == health.Degraded) != (stream == bus.StreamAudit) {
		t.Errorf("the check of the audit log: %+v", c)
	}
}

// damagedFile checks that one file of those collected does not open, and is named.
func (w *recordsWorld) damagedFile() {
	t := w.r.t
	t.Helper()
	all, err := w.r.quarantine.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range all {
		if q.Bucket == bus.BucketArtifacts {
			if err := w.r.console.DropRecord(t.Context(), web.User{Name: "ada"}, web.Quarantined{Bucket: q.Bucket, Key: q.Key}); err != nil {
				t.Error(err)
			}
			return // the noise was its record
		}
	}
	for _, id := range w.r.files() {
		body, _, err := w.r.Service.artifacts.Open(t.Context(), id)
		if err == nil {
			_, err = io.Copy(io.Discard, body)
			_ = body.Close() // the copy has said what is wrong
		}
		if err != nil {
			return
		}
	}
	t.Error("every file opens, though a part of one is noise")
}
