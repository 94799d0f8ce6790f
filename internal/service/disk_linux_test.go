package service

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// smallDisk is a service whose data lies on a file system of 48 MiB.
type smallDisk struct {
	running
	ballast string
	log     *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func onSmallDisk(t *testing.T, floor int64) smallDisk {
	t.Helper()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	data := filepath.Join(p.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	mount(t, data, "48m")
	cfg, _, err := config.Load(filepath.Join(p.dir, "pipeline.yaml"), nil, map[string]string{"bus.floor": fmt.Sprint(floor)})
	if err != nil {
		t.Fatal(err)
	}
	d := smallDisk{ballast: filepath.Join(data, "ballast"), log: &lockedBuffer{}}
	d.running = p.runWith(cfg, zerolog.New(zerolog.MultiLevelWriter(d.log)))
	return d
}

// mount makes a directory a file system of that size.
func mount(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("cannot mount a small file system: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

// leave fills the disk until so many bytes are left.
func (d smallDisk) leave(left uint64) {
	d.t.Helper()
	free, err := d.embedded.Free()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.ballast, make([]byte, free-left), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d smallDisk) makeRoom() {
	d.t.Helper()
	if err := os.Remove(d.ballast); err != nil {
		d.t.Fatal(err)
	}
}

// ended are the pids of the events whose jobs have ended.
func (d smallDisk) ended() map[int]bool {
	all := map[int]bool{}
	for _, j := range d.jobs("ended") {
		page, err := d.Service.console.Job(d.t.Context(), j.ID)
		if err != nil {
			d.t.Fatal(err)
		}
		all[page.Job.Event.Process.PID] = true
	}
	return all
}

func (d smallDisk) awaitEnded(pids ...int) {
	d.t.Helper()
	await(d.t, time.Minute, fmt.Sprintf("the jobs of %v", pids), func() bool {
		all := d.ended()
		for _, p := range pids {
			if !all[p] {
				return false
			}
		}
		return true
	})
}

// TestTheDiskIsNotFilled: below the floor nothing new is taken, which is said, and
// with room again it goes on.
func TestTheDiskIsNotFilled(t *testing.T) {
	t.Parallel()
	d := onSmallDisk(t, 16<<20)
	await(t, 20*time.Second, "the first event", func() bool { return d.post(start(1, 1)) == http.StatusOK })
	d.awaitEnded(1)

	d.leave(12 << 20)
	await(t, 20*time.Second, "not ready", func() bool { return strings.Contains(d.notReady(), "bus.floor") })
	if status := d.post(start(1, 2)); status != http.StatusServiceUnavailable {
		t.Errorf("a post that cannot be kept is answered %d", status)
	}
	var held dto.Metric
	if err := d.metrics.Held.Write(&held); err != nil || held.GetGauge().GetValue() != 1 {
		t.Errorf("intake_held = %v, %v", held.GetGauge(), err)
	}
	d.publish(start(1, 3)) // straight onto the bus, where it waits
	d.makeRoom()
	await(t, 20*time.Second, "ready", func() bool { return d.notReady() == "" })
	if status := d.post(start(1, 4)); status != http.StatusOK {
		t.Errorf("with room again a post is answered %d", status)
	}
	d.awaitEnded(1, 3, 4)
	if d.ended()[2] {
		t.Error("an event that was refused became a job")
	}
	if n := d.log.count("no new event is taken\""); n != 1 {
		t.Errorf("the full disk was told %d times", n)
	}
	if d.log.count("is restarted") != 0 {
		t.Error("the bus was restarted without need")
	}
}

// TestAFullDiskIsSurvived: something else fills the disk to the last byte while
// events are put on the bus. It is said, and with room again the bus stores and
// everything acknowledged becomes a job, without anybody's help.
func TestAFullDiskIsSurvived(t *testing.T) {
	t.Parallel()
	d := onSmallDisk(t, 4<<20)
	await(t, 20*time.Second, "the first event", func() bool { return d.post(start(1, 1)) == http.StatusOK })
	d.leave(1 << 20)
	kept := []int{1}
	for pid := 100; ; pid++ {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		m := jetstream.Encode(jetstream.Prefix, events.Message{Body: []byte(strings.Repeat(" ", 64<<10) + start(1, pid)), ContentType: "application/json", Server: "sim"})
		_, err := d.bus.JetStream().PublishMsg(ctx, m)
		cancel()
		if err != nil {
			t.Logf("%d events fitted, then: %v", len(kept)-1, err)
			break
		}
		kept = append(kept, pid)
	}
	await(t, 20*time.Second, "not ready", func() bool { return d.notReady() != "" })
	if status := d.post(start(1, 2)); status != http.StatusServiceUnavailable {
		t.Errorf("a post that cannot be kept is answered %d", status)
	}
	d.makeRoom()
	await(t, time.Minute, "ready", func() bool { return d.notReady() == "" })
	if d.log.count("is restarted") == 0 {
		t.Error("it stores again without a restart of the bus: then the restart is not needed any more")
	}
	await(t, 20*time.Second, "a new event", func() bool { return d.post(start(1, 4)) == http.StatusOK })
	d.awaitEnded(append(kept, 4)...)
}
