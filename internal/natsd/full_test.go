package natsd

import (
	"errors"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
)

// TestFullStoreRefusesAndKeeps fills the store: what was acknowledged is there,
// also after a restart, and what is refused is refused with an error that says why.
func TestFullStoreRefusesAndKeeps(t *testing.T) {
	conf := Config{Dir: t.TempDir(), MaxDisk: 1 << 20}
	b, stop := onDisk(t, conf)
	s, err := b.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "RECORDS", Subjects: []string{"records"}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := uint64(0)
	for err == nil && acknowledged < 1000 {
		if _, err = s.Info(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err = b.JetStream().Publish(t.Context(), "records", make([]byte, 64<<10), jetstream.WithRetryAttempts(0)); err == nil {
			acknowledged++
		}
	}
	var api *jetstream.APIError
	if !errors.As(err, &api) || api.Code != http.StatusServiceUnavailable {
		t.Errorf("a full store answers %v, want 503 with the reason", err)
	}
	t.Logf("after %d records: %v", acknowledged, err)
	stop()
	b, stop = onDisk(t, conf)
	defer stop()
	if s, err = b.JetStream().Stream(t.Context(), "RECORDS"); err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got != acknowledged {
		t.Errorf("%d records, %d were acknowledged", got, acknowledged)
	}
}

// onDisk starts a server and connects to it.
func onDisk(t *testing.T, c Config) (*bus.Bus, func()) {
	t.Helper()
	ns, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(t.Context(), bus.Config{InProcess: ns})
	if err != nil {
		t.Fatal(err)
	}
	return b, func() {
		b.Close()
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	}
}
