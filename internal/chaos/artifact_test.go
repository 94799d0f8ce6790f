//go:build linux && chaos

package chaos

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// collecting is a world in which each event has a file of size bytes collected.
type collecting struct {
	*world
	size    int64
	results natsjs.MessagesContext
	events  int
}

func newCollecting(t *testing.T, store string, size int64) *collecting {
	c := &collecting{size: size, world: newWorld(t, shape{
		nodes: 1, replicas: 1, sync: length(t, "SYNC", time.Second), direct: true, settings: "artifacts: { store: " + store + " }",
		rules: strings.Replace(listOnly, "{ uses: list_processes }", `{ uses: get_file, with: { path: 'c:\big.bin' } }`, 1),
		sim: edrsim.Config{CheckIn: 50 * time.Millisecond, Fleet: []edrsim.SensorSpec{{
			Count: 2, Files: []edrsim.FileSpec{{Path: `c:\big.bin`, Size: size}}, Latency: edrsim.Latency{Min: time.Millisecond, Max: 2 * time.Millisecond},
		}}},
	})}
	consumer, err := c.bus.JetStream().CreateConsumer(t.Context(), bus.StreamResults, natsjs.ConsumerConfig{AckPolicy: natsjs.AckNonePolicy})
	c.must(err)
	c.results, err = consumer.Messages()
	c.must(err)
	t.Cleanup(c.results.Stop)
	return c
}

// collect has the file collected and returns how long the step took.
func (c *collecting) collect() time.Duration {
	c.t.Helper()
	c.events++
	c.must(c.send(c.t.Context(), sent{pid: c.events, line: procstart(2, c.events, "evil.exe", time.Now())}, false))
	m, err := c.results.Next(natsjs.NextMaxWait(10 * time.Minute))
	c.must(err)
	var n struct{ Data jobs.ResultNotice }
	c.must(json.Unmarshal(m.Data(), &n))
	if n.Data.State != jobs.Succeeded {
		c.t.Fatalf("the job %s: %s", n.Data.State, n.Data.Detail)
	}
	return n.Data.Steps[0].Ended.Sub(n.Data.Steps[0].Started)
}

// fetch is what any client has to do: it gets the file that the first job left in
// the EDR server's store, hashes it, and flushes it to disk.
func (c *collecting) fetch() error {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.servers[0].url+"/api/v1/cblr/session/1/file/1/content", nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Auth-Token", c.servers[0].sim.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	f, err := os.Create(filepath.Join(c.dir, "fetched"))
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyBuffer(io.MultiWriter(f, sha256.New()), res.Body, make([]byte, 256<<10))
	if err == nil && n != c.size {
		err = fmt.Errorf("%s: %d bytes of %d", res.Status, n, c.size)
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

// copyAndSum copies a file with cp and hashes the copy.
func copyAndSum(from, to string) error {
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	f, err := os.Open(to)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(sha256.New(), f)
	return err
}

// TestArtifact measures collecting a file of MIB from an endpoint into each kind of
// artifact store, against a plain client of the same server and against cp and
// SHA-256; and what the processes take for it.
func TestArtifact(t *testing.T) {
	mib := number(t, "MIB", 256)
	for _, store := range []string{"bus", "dir"} {
		c := newCollecting(t, store, int64(mib)<<20)
		var took, plain, copied []time.Duration
		for range number(t, "ROUNDS", 3) {
			took = append(took, c.collect())
			plain = append(plain, c.timed(c.fetch))
			from := filepath.Join(c.dir, "fetched")
			copied = append(copied, c.timed(func() error { return copyAndSum(from, from+".copy") }))
		}
		service, peak := c.replicas[0].Spent(), c.replicas[0].Peak()
		served := c.nodes[0].Spent()
		rate := func(d []time.Duration) float64 { return float64(mib) / percentile(d, 50).Seconds() }
		t.Logf("| %d MiB into %s | %.0f MiB/s | %.0f MiB/s: plain client, SHA-256, flush | %.0f MiB/s: cp and SHA-256 |", mib, store, rate(took), rate(plain), rate(copied))
		gib := float64(mib*len(took)) / 1024
		t.Logf("processor time for each GiB: service %.1f s, bus %.1f s; the service's greatest size %d MiB", service.Seconds()/gib, served.Seconds()/gib, peak>>20)
		c.replicas[0].Kill()
		c.nodes[0].Kill()
	}
}

func (c *collecting) timed(f func() error) time.Duration {
	c.t.Helper()
	begun := time.Now()
	c.must(f())
	return time.Since(begun)
}
