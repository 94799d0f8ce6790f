package artifacts

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
)

// repeated gives the same bytes again and again: making them must not count.
type repeated struct{ block []byte }

func (r repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], r.block)
	}
	return n, nil
}

func content(size int64) io.Reader {
	block := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(block)
	return io.LimitReader(repeated{block}, size)
}

const benchSize = 256 << 20

// BenchmarkPut stores 256 MiB; floor is a file, flushed, and SHA-256 of the same.
func BenchmarkPut(b *testing.B) {
	b.Run("directory", func(b *testing.B) { benchPut(b, Directory(b.TempDir())) })
	b.Run("bus", func(b *testing.B) {
		connected := bustest.Connect(b, bus.Config{InProcess: bustest.Serve(b, natsd.Config{})})
		store, err := connected.ArtifactBucket(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		benchPut(b, Objects{JetStream: connected.JetStream(), Store: store})
	})
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			f, err := os.Create(filepath.Join(b.TempDir(), "file"))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.MultiWriter(f, sha256.New()), content(benchSize)); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
}

func benchPut(b *testing.B, backend Backend) {
	s := open(b, Config{Backend: backend})
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		a, err := s.Put(b.Context(), actions.Artifact{Path: `c:\big`}, content(benchSize))
		if err != nil {
			b.Fatal(err)
		}
		for _, ending := range []string{dataEnding, recordEnding} {
			if err := backend.Delete(b.Context(), a.ID+ending); err != nil {
				b.Fatal(err)
			}
		}
	}
}
