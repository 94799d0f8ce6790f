package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/jobs/natsstore"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("EDRPIPE_TEST_PUBLISH"); dir != "" {
		publishUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// embedded starts a bus on dir; stop ends it.
func embedded(t testing.TB, dir string) (b *bus.Bus, stop func()) {
	t.Helper()
	ns, err := natsd.Start(natsd.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b, err = bus.Connect(t.Context(), bus.Config{InProcess: ns})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, func() {
		b.Close()
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	}
}

func notice(subject, id string) bus.Notice {
	return bus.Notice{Subject: subject, ID: id, Type: "edrpipe.test.v1", Source: "edrpipe/test", About: "job/" + id, Time: time.Unix(1, 0), Data: map[string]int{"n": 1}}
}

func TestNoticesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	b, stop := embedded(t, dir)
	if err := b.Publish(t.Context(), notice("edr.results.r.1", "1")); err != nil {
		t.Fatal(err)
	}
	stop()
	b, stop = embedded(t, dir)
	defer stop()
	s, err := b.JetStream().Stream(t.Context(), bus.StreamResults)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), "edr.results.r.1")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		SpecVersion, ID, Type, Source, Subject string
		Data                                   map[string]int
	}
	if err := json.Unmarshal(m.Data, &got); err != nil {
		t.Fatal(err)
	}
	if got.SpecVersion != "1.0" || got.ID != "1" || got.Subject != "job/1" || got.Data["n"] != 1 {
		t.Errorf("cloud event = %s", m.Data)
	}
}

// TestSetupLeavesWhatUsersTurnedOn: time to live for messages cannot be turned off
// again, so a second start must not try.
func TestSetupLeavesWhatUsersTurnedOn(t *testing.T) {
	dir := t.TempDir()
	b, stop := embedded(t, dir)
	s, err := b.JetStream().Stream(t.Context(), "KV_"+bus.BucketJobs)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.AllowMsgTTL, cfg.SubjectDeleteMarkerTTL, cfg.AllowAtomicPublish = true, time.Minute, true
	if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	stop()
	b, stop = embedded(t, dir) // sets up again
	defer stop()
	if s, err = b.JetStream().Stream(t.Context(), "KV_"+bus.BucketJobs); err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().Config; !got.AllowMsgTTL || !got.AllowAtomicPublish {
		t.Errorf("after a second start: %+v", got)
	}
}

func TestPublishOnceAddsNothingTheSecondTime(t *testing.T) {
	b, stop := embedded(t, t.TempDir())
	defer stop()
	for range 3 {
		if err := b.PublishOnce(t.Context(), notice("edr.results.r.1", "1")); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.JetStream().Stream(t.Context(), bus.StreamResults)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got != 1 {
		t.Errorf("messages = %d, want 1", got)
	}
}

func TestTwoServersOnOneDirectoryAreRefused(t *testing.T) {
	dir := t.TempDir()
	_, stop := embedded(t, dir)
	defer stop()
	if _, err := natsd.Start(natsd.Config{Dir: dir}); !errors.Is(err, natsd.ErrLocked) {
		t.Errorf("second server: %v, want ErrLocked", err)
	}
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if b, err := bus.Connect(ctx, bus.Config{URL: "nats://127.0.0.1:1"}); err == nil {
		b.Close()
		t.Error("connected to nothing")
	}
}

// TestKilledBusLosesNothingAcknowledged kills the process that holds the store
// and compares what it was told is safe with what is there.
func TestKilledBusLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "EDRPIPE_TEST_PUBLISH="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(out)
	var acked uint64
	for acked < 50 {
		if err := dec.Decode(&acked); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	b, stop := embedded(t, dir)
	defer stop()
	s, err := b.JetStream().Stream(t.Context(), bus.StreamJobs)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got < acked {
		t.Errorf("stream holds %d, %d were acknowledged", got, acked)
	}
}

// publishUntilKilled prints the sequence of each acknowledged notice.
func publishUntilKilled(dir string) {
	ns, err := natsd.Start(natsd.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	b, err := bus.Connect(ctx, bus.Config{InProcess: ns})
	if err != nil {
		panic(err)
	}
	if err := b.Setup(ctx); err != nil {
		panic(err)
	}
	enc := json.NewEncoder(os.Stdout)
	for i := 1; ; i++ {
		ack, err := b.JetStream().Publish(ctx, "edr.jobs.x.queued", []byte("x"), jetstream.WithExpectLastSequence(uint64(i-1)))
		if err != nil {
			panic(err)
		}
		if err := enc.Encode(ack.Sequence); err != nil {
			panic(err)
		}
	}
}

// TestSetupLeavesWhatOthersSet runs Setup as the second start of a service does:
// on a bucket whose stream the scheduler has given what it needs.
func TestSetupLeavesWhatOthersSet(t *testing.T) {
	b, stop := embedded(t, t.TempDir())
	defer stop()
	if _, err := natsstore.Open(t.Context(), b.JetStream(), bus.BucketJobs, bus.BucketFinished, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := b.JetStream().Stream(t.Context(), "KV_"+bus.BucketJobs)
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo().Config; !c.AllowAtomicPublish || !c.AllowMsgTTL {
		t.Errorf("atomic batches %v, expiring markers %v; want both", c.AllowAtomicPublish, c.AllowMsgTTL)
	}
}

func TestSetupChangesLimits(t *testing.T) {
	ns := bustest.Serve(t, natsd.Config{})
	for _, age := range []time.Duration{time.Hour, 2 * time.Hour} {
		b := bustest.Connect(t, bus.Config{InProcess: ns, Limits: bus.Limits{EventsAge: age, JobsAge: age}})
		for _, name := range []string{bus.StreamEvents, "KV_" + bus.BucketFinished} {
			s, err := b.JetStream().Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.CachedInfo().Config.MaxAge; got != age {
				t.Errorf("%s is kept for %v, want %v", name, got, age)
			}
		}
	}
}

func TestToken(t *testing.T) {
	for in, want := range map[string]string{"": "_", "a.b": "a_b", "a b*>": "a_b__", "kill-office-shell": "kill-office-shell"} {
		if got := bus.Token(in); got != want {
			t.Errorf("Token(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestNoticesKeepMarkup: a character of a command line is one byte of a notice.
func TestNoticesKeepMarkup(t *testing.T) {
	b, stop := embedded(t, t.TempDir())
	defer stop()
	n := notice("edr.results.r.1", "1")
	n.Data = map[string]string{"detail": "cmd /c a&b<c>d"}
	if err := b.Publish(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	s, err := b.JetStream().Stream(t.Context(), bus.StreamResults)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), n.Subject)
	if err != nil || !strings.Contains(string(m.Data), "cmd /c a&b<c>d") {
		t.Errorf("%v, %+v", err, m)
	}
}
