//go:build linux

package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// kind is what an event must lead to.
type kind string

const (
	hit     kind = "hit"     // one job with a step that must not run twice
	worm    kind = "worm"    // one job that isolates, within the budget
	jewel   kind = "jewel"   // a hit on the protected sensor: no job
	noise   kind = "noise"   // one job an hour on each sensor, the others are suppressed
	late    kind = "late"    // one job, once the server has told the endpoint's group
	spared  kind = "spared"  // the same on an endpoint of the other group: nothing happens
	stray   kind = "stray"   // names a server that is not configured: no job
	nothing kind = "nothing" // no rule wants it
	poison  kind = "poison"  // cannot be decoded
)

// sent is an event of the log: what the checker holds everything else against.
type sent struct {
	kind   kind
	server string // configured name
	sensor int    // number in the simulation
	fresh  bool   // the sensor is a newcomer
	pid    int
	line   string
	job    string    // id of the job that it must make; "" for none
	at     time.Time // before it was first sent
}

// ledger is the event log: what was accepted, which the bus or a replica has
// acknowledged, and what was sent and perhaps taken: nobody said so.
type ledger struct {
	mu       sync.Mutex
	accepted []sent
	doubtful []sent
	retries  int // sent again, because nobody acknowledged
	count    int // events made so far
}

func (l *ledger) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	return l.count
}

func (l *ledger) note(s sent, accepted bool, retries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retries += retries
	if accepted {
		l.accepted = append(l.accepted, s)
	} else {
		l.doubtful = append(l.doubtful, s)
	}
}

var images = map[kind]string{
	hit: "evil.exe", worm: "worm.exe", jewel: "evil.exe", noise: "noise.exe", late: "late.exe", spared: "late.exe", stray: "evil.exe", nothing: "notepad.exe",
}

var ruleOf = map[kind]string{hit: "respond", worm: "isolate", jewel: "respond", noise: "hourly", late: "facts", spared: "facts"}

// drawn is the kind of the next event.
func drawn(r *rand.Rand) kind {
	switch x := r.Float64(); {
	case x < .05:
		return poison
	case x < .10:
		return worm
	case x < .15:
		return jewel
	case x < .25:
		return noise
	case x < .32:
		return nothing
	case x < .38:
		return late
	case x < .44:
		return spared
	case x < .48:
		return stray
	}
	return hit
}

// procstart is a process start as the event forwarder prints it.
func procstart(sensor, pid int, image string, at time.Time) string {
	return fmt.Sprintf(`{"type":"ingress.event.procstart","event_type":"proc","sensor_id":%d,"computer_name":"WKS-%04d","timestamp":%d,"pid":%d,"path":"c:\\temp\\%s","process_path":"c:\\temp\\%s","process_guid":"%08x-%04x-%04x-01da-ff710e784000","cb_server":"sim"}`,
		sensor, sensor, at.Unix(), pid, image, image, sensor, pid>>16, pid&0xffff)
}

// feed sends events, one every gap, and each again until it is accepted, until
// ctx ends. One in twenty is sent once more although it was.
func (w *world) feed(ctx context.Context, l *ledger, r *rand.Rand, gap time.Duration) error {
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for ctx.Err() == nil {
		of, k, sensor := w.anyServer(r), drawn(r), 2+r.IntN(w.shape.sensors-1)
		if (k == late || k == spared) && r.IntN(2) == 0 {
			sensor = cmp.Or(of.newcomers.next(k), sensor)
		}
		s, err := of.event(k, l.next(), sensor)
		if err != nil {
			return err
		}
		if accepted := w.deliver(ctx, l, s, s.kind != poison && r.IntN(2) == 0); accepted && r.IntN(20) == 0 {
			_ = w.send(ctx, s, false) // whether that is accepted makes no difference
		}
		of.newcomers.tell(sensor, time.Now().Add(time.Duration(r.Int64N(int64(4*time.Second))))) // also of an event that is in doubt
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// anyServer draws the server of the next event. A cloud's jobs take longer, because its
// commands are polled for: it gets one event in four.
func (w *world) anyServer(r *rand.Rand) *server {
	if len(w.servers) > 1 && r.IntN(4) == 0 {
		return w.servers[1]
	}
	return w.servers[0]
}

// deliver sends an event until it is accepted or ctx ends.
func (w *world) deliver(ctx context.Context, l *ledger, s sent, byHTTP bool) (accepted bool) {
	for retries := 0; ; retries++ {
		err := w.send(ctx, s, byHTTP)
		if err == nil || ctx.Err() != nil {
			l.note(s, err == nil, retries)
			return err == nil
		}
	}
}

// send gives an event to some replica or to the bus; nil means accepted.
func (w *world) send(ctx context.Context, s sent, byHTTP bool) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if !byHTTP {
		m := jetstream.Encode(jetstream.Prefix, events.Message{Body: []byte(s.line), ContentType: "application/json", Server: cmp.Or(s.server, "sim")})
		m.Header.Set("Nats-Msg-Id", fmt.Sprintf("%d-%d", s.pid, time.Now().UnixNano())) // the bus shall not hide repetitions
		_, err := w.bus.JetStream().PublishMsg(ctx, m)
		return pause(ctx, err)
	}
	url := w.replicas[rand.IntN(len(w.replicas))].URL() // as a balancer does
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/ingest", strings.NewReader(s.line))
	if err != nil {
		return pause(ctx, err)
	}
	req.Header.Set("Authorization", "Bearer "+ingestToken)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return pause(ctx, err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		return pause(ctx, errors.New(res.Status+" "+string(body)))
	}
	return nil
}

// pause waits a moment after an error, so that what is down is not asked in a loop.
func pause(ctx context.Context, err error) error {
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}
