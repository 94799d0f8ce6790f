//go:build linux && chaos

package chaos

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"

	"github.com/nats-io/nats.go/jetstream"
)

const statOnly = `
rules:
  - id: stat
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: list_directory, with: { path: 'c:\windows\temp\' } } ]
`

// rest has the fields of a server's process start that procstart does not make.
var rest = fmt.Sprintf(`,"command_line":"%s","username":"NT AUTHORITY\\SYSTEM","md5":"%032x","sha256":"%064x","parent_path":"c:\\windows\\system32\\services.exe",`+
	`"parent_md5":"%032x","parent_guid":"00000002-0000-0268-01da-ff70ff9e1a00","parent_pid":616,"parent_create_time":1730000000,"filtering_known_dlls":true,"expect_followon_w_md5":false,`+
	`"link_process":"https://cb.example/#analyze/00000002-0000-0268-01da-ff70ff9e1a00/1","link_sensor":"https://cb.example/#/host/2"}`, strings.Repeat("-enc aQBlAHgA ", 12), 1, 2, 3)

// TestDiskOfJobs measures what DISK_JOBS finished jobs of one step take of the bus's
// disk, stream by stream: what the records have and what its files take.
func TestDiskOfJobs(t *testing.T) {
	n := number(t, "DISK_JOBS", 4000)
	w := newWorld(t, shape{
		nodes: 1, replicas: 1, sync: time.Second, direct: true, rules: statOnly, settings: `log: { level: error }`, sessions: 100,
		sim: edrsim.Config{CheckIn: 100 * time.Millisecond, Slots: 100, Fleet: []edrsim.SensorSpec{{Count: 100, OS: "windows", Latency: edrsim.Latency{Min: time.Millisecond, Max: 2 * time.Millisecond}}}},
	})
	begun := time.Now()
	for first := 0; first < n; first += 500 {
		var lines [][]byte
		for i := first; i < min(first+500, n); i++ {
			line := procstart(2+i%98, 1000+i, "evil.exe", begun)
			lines = append(lines, []byte(line[:len(line)-1]+rest))
		}
		w.must(w.publish(t.Context(), lines))
	}
	finished := func() int { return int(w.stream("KV_" + bus.BucketFinished).Msgs) }
	eventually(t, 10*time.Minute, func() bool { return finished() >= n })
	t.Logf("%d jobs in %v", n, time.Since(begun).Round(time.Second))
	var records, files float64
	for _, name := range []string{bus.StreamJobs, bus.StreamResults, bus.StreamAudit, "KV_" + bus.BucketFinished, "KV_" + bus.BucketJobs, "KV_" + bus.BucketControl} {
		r, f := float64(w.stream(name).Bytes)/float64(n), float64(w.filesOf(name))/float64(n)
		t.Logf("%-16s %7.0f bytes of records, %7.0f of files, %d messages", name, r, f, w.stream(name).Msgs)
		records, files = records+r, files+f
	}
	t.Logf("a finished job of one step: %.1f KiB of records, %.1f KiB of files", records/1024, files/1024)
}

func (w *world) stream(name string) jetstream.StreamState {
	s, err := w.bus.JetStream().Stream(w.t.Context(), name)
	w.must(err)
	return s.CachedInfo().State
}

// filesOf is what a stream's files take on the first node's disk.
func (w *world) filesOf(stream string) (bytes int64) {
	w.must(filepath.WalkDir(filepath.Join(w.dir, "bus0", "store"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains(strings.Split(filepath.ToSlash(path), "/"), stream) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return nil
	}))
	return bytes
}
