package lr_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

var faultRounds = flag.Int("fault.rounds", 2, "how often TestFaults goes through its calls on each sensor")

// TestFaults lets one request in five go wrong, in each way there is, and holds
// four promises: no call outlives its context, no content is wrong, no command
// that changes the endpoint runs twice, and no goroutine is left behind (see
// TestMain).
func TestFaults(t *testing.T) {
	for _, fault := range edrsim.AllFaults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			sim := simulate(t, edrsim.Config{
				Sensors: 4, CheckIn: 3 * time.Second, Seed: 7,
				Faults: edrsim.Faults{fault.Name: 0.2},
			})
			c := dial(t, sim, func(c *lr.Config) {
				c.RequestTimeout, c.StallTimeout = 300*time.Millisecond, 300*time.Millisecond
				c.LongPoll = 200 * time.Millisecond
				if fault.Name == "slow" {
					c.RequestTimeout, c.StallTimeout = 5*time.Second, time.Second
				}
			})
			var workers sync.WaitGroup
			tally := &tally{}
			for _, sensor := range []int{1, 2, 3} {
				workers.Go(func() { work(t, c, sensor, *faultRounds, tally) })
			}
			workers.Wait()
			counters := sim.Counters()
			t.Logf("%d commands executed, %d faults injected; %d calls succeeded, %d failed, %d of them ambiguous",
				counters.Commands, counters.Faults[fault.Name], tally.ok, tally.failed, tally.ambiguous)
			if counters.Faults[fault.Name] == 0 || tally.ok == 0 {
				t.Error("nothing was tried")
			}
			// Each object is named for its call, so that a second execution is a repetition.
			for _, e := range counters.Executions {
				if e.Count > 1 && edrsim.Mutating(e.Command) {
					t.Errorf("%s %q ran %d times on sensor %d", e.Command, e.Object, e.Count, e.SensorID)
				}
			}
		})
	}
}

type tally struct {
	mu                    sync.Mutex
	ok, failed, ambiguous int
}

func (c *tally) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.ok++
	default:
		c.failed++
		if errors.Is(err, edr.ErrAmbiguous) {
			c.ambiguous++
		}
	}
}

// work changes one endpoint and looks what came of it.
func work(t *testing.T, c *lr.Client, sensor, rounds int, tally *tally) {
	id := strconv.Itoa(sensor)
	e := c.Endpoint(id)
	defer func() { _ = e.Close(t.Context()) }()
	sep := `c:\windows\temp\`
	if s, err := c.Sensor(t.Context(), id); err == nil && s.OS != edr.Windows {
		sep = "/tmp/"
	}
	for i := range rounds {
		path := fmt.Sprintf("%sfault-%d", sep, i)
		want := noise(sensor*100+i, 40_000)
		put := timed(t, tally, func(ctx context.Context) error {
			_, err := e.PutFile(ctx, path, bytes.NewReader(want))
			return err
		})
		var got bytes.Buffer
		get := timed(t, tally, func(ctx context.Context) error {
			_, err := e.GetFile(ctx, path, edr.Range{}, &got)
			return err
		})
		switch {
		case !bytes.HasPrefix(want, got.Bytes()), get == nil && !bytes.Equal(got.Bytes(), want):
			t.Errorf("%s: wrong content: %d bytes of %d, put: %v, get: %v", path, got.Len(), len(want), put, get)
		case put == nil && errors.Is(get, fs.ErrNotExist):
			t.Errorf("%s is not there although it was put", path)
		case errors.Is(put, fs.ErrExist):
			t.Errorf("%s exists before it was put: put ran twice", path)
		}
		timed(t, tally, func(ctx context.Context) error { return e.MakeDir(ctx, path+".d") })
		timed(t, tally, func(ctx context.Context) error { _, err := e.Processes(ctx); return err })
		del := timed(t, tally, func(ctx context.Context) error { return e.DeleteFile(ctx, path) })
		if put == nil && errors.Is(del, fs.ErrNotExist) {
			t.Errorf("%s was gone before it was deleted: delete ran twice", path)
		}
	}
}

// timed makes a call that must not outlive its context by more than a busy
// machine explains.
func timed(t *testing.T, tally *tally, call func(context.Context) error) error {
	t.Helper()
	const limit, grace = 4 * time.Second, 4 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	start := time.Now()
	err := call(ctx)
	if took := time.Since(start); took > limit+grace {
		t.Errorf("a call took %v with a context of %v: %v", took, limit, err)
	}
	tally.add(err)
	return err
}

func noise(seed, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}
