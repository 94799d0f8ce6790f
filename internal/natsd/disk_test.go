//go:build linux

package natsd

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestFullDiskLosesNothing fills a small file system under the store:
// what does not fit is not acknowledged, and all that was is there after a restart.
func TestFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skip("cannot mount a file system: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := Config{Dir: filepath.Join(dir, "bus")}
	b, stop := onDisk(t, conf)
	records := jetstream.StreamConfig{Name: "RECORDS", Subjects: []string{"records"}, Storage: jetstream.FileStorage}
	if _, err := b.JetStream().CreateStream(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	acknowledged, err := uint64(0), error(nil)
	for err == nil && acknowledged < 1000 {
		if _, err = b.JetStream().Publish(t.Context(), "records", make([]byte, 64<<10), jetstream.WithRetryAttempts(0)); err == nil {
			acknowledged++
		}
	}
	if err == nil {
		t.Fatal("8 MB took 64 MB")
	}
	t.Logf("after %d records: %v", acknowledged, err)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	// Without a restart: what went on is told, not relied on.
	_, again := b.JetStream().Publish(t.Context(), "records", make([]byte, 64<<10), jetstream.WithRetryAttempts(0))
	t.Logf("with room again: %v", again)
	if again == nil {
		acknowledged++
	}
	stop()
	b, stop = onDisk(t, conf)
	defer stop()
	s, err := b.JetStream().Stream(t.Context(), "RECORDS")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Msgs; got < acknowledged {
		t.Errorf("%d records, %d were acknowledged", got, acknowledged)
	}
}
