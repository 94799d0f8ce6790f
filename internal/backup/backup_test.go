package backup_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"edrpipe/internal/backup"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/shares"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func store(t *testing.T, b *bus.Bus) *natsstore.Store {
	t.Helper()
	s, err := natsstore.Open(t.Context(), b.JetStream(), bus.BucketJobs, bus.BucketFinished, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func auditOf(b *bus.Bus) *audit.Stream {
	return &audit.Stream{JetStream: b.JetStream(), Name: bus.StreamAudit, Subject: "edr.audit"}
}

// filled is a bus with a bit of everything, as a service leaves it.
func filled(t *testing.T) *bus.Bus {
	t.Helper()
	ctx, b := t.Context(), bustest.Start(t)
	s := store(t, b)
	live, ended := &jobs.Job{ID: "live", Endpoint: edr.Endpoint{Server: "hq", ID: "1"}, State: jobs.Queued}, &jobs.Job{ID: "ended", Endpoint: edr.Endpoint{Server: "hq", ID: "2"}, State: jobs.Queued}
	if _, err := s.Create(ctx, []*jobs.Job{live, ended}); err != nil {
		t.Fatal(err)
	}
	ended.State, ended.Ended = jobs.Succeeded, time.Now()
	if err := s.Update(ctx, ended); err != nil {
		t.Fatal(err)
	}
	if err := s.Archive(ctx, ended); err != nil {
		t.Fatal(err)
	}
	control := &bus.Records{Bus: b, Bucket: bus.BucketControl}
	keep := func([]byte) ([]byte, error) { return []byte("remembered"), nil }
	if err := control.Update(ctx, shares.Record{Key: "suppress.a"}, time.Hour, keep); err != nil {
		t.Fatal(err)
	}
	log := audit.New(audit.Config{Store: auditOf(b)})
	for _, what := range []string{"allow", "deny"} {
		if err := log.Append(ctx, audit.Entry{Kind: "verdict", What: what}); err != nil {
			t.Fatal(err)
		}
	}
	result := bus.Notice{Subject: "edr.results.r.ended", ID: "ended-result", Type: "edrpipe.job.result.v1", Source: "edrpipe/test", Time: time.Now(), Data: "x"}
	if err := b.PublishOnce(ctx, result); err != nil {
		t.Fatal(err)
	}
	files, err := b.ArtifactBucket(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.PutBytes(ctx, "dump", bytes.Repeat([]byte("file"), 100_000)); err != nil {
		t.Fatal(err)
	}
	return b
}

func export(t *testing.T, b *bus.Bus) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := backup.Export(t.Context(), b, &file, backup.Options{Artifacts: true}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestWhatIsExportedComesBack(t *testing.T) {
	ctx, old := t.Context(), filled(t)
	fresh := bustest.Start(t)
	s, err := backup.Import(ctx, fresh, bytes.NewReader(export(t, old)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"KV_jobs": 1, "KV_jobs-finished": 1, "KV_control": 1, "AUDIT": 2, "RESULTS": 1, "OBJ_artifacts": 5}
	if diff := cmp.Diff(want, s.Streams); diff != "" {
		t.Errorf("imported: %s", diff)
	}
	for _, id := range []string{"live", "ended"} {
		before, err1 := store(t, old).Get(ctx, id)
		after, err2 := store(t, fresh).Get(ctx, id)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		before.Revision, after.Revision = 0, 0
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("job %s: %s", id, diff)
		}
	}
	if r, err := audit.Verify(ctx, auditOf(fresh), nil); err != nil || r.Entries != 2 {
		t.Errorf("audit: %d entries, %v", r.Entries, err)
	}
	files, err := fresh.ArtifactBucket(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := files.GetBytes(ctx, "dump"); err != nil || len(data) != 400_000 {
		t.Errorf("artifact: %d bytes, %v", len(data), err)
	}
	// What depends on revisions goes on: a live job can be changed, an ended one is
	// not made again, a control record still expires.
	live, err := store(t, fresh).Get(ctx, "live")
	if err != nil {
		t.Fatal(err)
	}
	if err := store(t, fresh).Update(ctx, live); err != nil {
		t.Error(err)
	}
	if created, err := store(t, fresh).Create(ctx, []*jobs.Job{{ID: "ended", State: jobs.Queued}}); err != nil || created[0] {
		t.Errorf("the ended job was made again: %v, %v", created, err)
	}
	stream, err := fresh.JetStream().Stream(ctx, "KV_control")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetLastMsgForSubject(ctx, "$KV.control.suppress.a")
	if err != nil {
		t.Fatal(err)
	}
	if ttl, err := time.ParseDuration(m.Header.Get(jetstream.MsgTTLHeader)); err != nil || ttl > time.Hour || ttl < 50*time.Minute {
		t.Errorf("time to live = %v, %v", ttl, err)
	}
}

func TestStateIsNotMixed(t *testing.T) {
	b := filled(t)
	file := export(t, b)
	if _, err := backup.Import(t.Context(), b, bytes.NewReader(file), nil, nil); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("import over state: %v, want ErrNotEmpty", err)
	}
	if diff := cmp.Diff(records(t, file), records(t, export(t, b))); diff != "" {
		t.Errorf("a refused import changed the bus: %s", diff)
	}
}

// records are the lines between the header, which tells the time, and the end,
// which has the digest of all.
func records(t *testing.T, file []byte) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(text(t, file))), "\n")
	if len(lines) < 3 {
		t.Fatalf("%d lines", len(lines))
	}
	return lines[1 : len(lines)-1]
}

func TestDamageIsSeenBeforeAnythingIsWritten(t *testing.T) {
	file := export(t, filled(t))
	plain := text(t, file)
	at := bytes.Index(plain, []byte(`"stream":"RESULTS"`))
	changed := bytes.Replace(plain, []byte("edr.results.r.ended"), []byte("edr.results.s.ended"), 1)
	for name, data := range map[string][]byte{
		"cut":              file[:len(file)/2],
		"a record missing": zipped(t, append(bytes.Clone(plain[:at-1]), plain[at+bytes.IndexByte(plain[at:], '\n')+1:]...)),
		"a subject":        zipped(t, changed),
		"not ours":         zipped(t, []byte("{}\n")),
		"not gzip":         []byte("hello"),
	} {
		t.Run(name, func(t *testing.T) {
			fresh := bustest.Start(t)
			if _, err := backup.Import(t.Context(), fresh, bytes.NewReader(data), nil, nil); !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("import: %v, want ErrDamaged", err)
			}
			if _, err := backup.Import(t.Context(), fresh, bytes.NewReader(file), nil, nil); err != nil {
				t.Errorf("the refused import left something: %v", err)
			}
		})
	}
}

func text(t *testing.T, file []byte) []byte {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, err := zip.Write(data)
	if err := errors.Join(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
