//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/job"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/seal"
)

// evidence is what the checker reads once all is quiet.
type evidence struct {
	log      []sent               // accepted
	doubtful []sent               // sent, and perhaps taken
	live     []string             // jobs that are still among the live ones
	records  map[string]*jobs.Job // finished
	results  map[string][]jobs.State
	decided  map[string]string    // reason, by the job that was not made
	stored   map[string]time.Time // when the bus had the notice that a job exists
	dead     []string
	waiting  uint64           // messages that the service has not settled
	servers  map[string]*seen // by name
	lasted   time.Duration    // the run
}

// seen is what a server has seen, with sensors by their number in the simulation.
type seen struct {
	kind     string
	counters edrsim.Counters
	isolated []int
	early    []edr.Endpoint // newcomers on which a session was opened before their record was told
}

// settle waits until the service has nothing left to do, twice in a row: a record that is
// written again while the records are read is missing among them.
func (w *world) settle(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	idle := 0
	for begun, told := time.Now(), time.Now(); ; {
		left, err := w.unsettled(ctx)
		if idle++; err != nil || left != "" {
			idle = 0
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("not at rest after %v", within)
		case idle == 2:
			return nil
		case time.Since(told) > 5*time.Second:
			told = time.Now()
			w.t.Logf("not at rest after %v: %s %v", time.Since(begun).Round(time.Second), left, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// unsettled says what is left to do; "" for nothing.
func (w *world) unsettled(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	waiting, err := w.waiting(ctx)
	if err != nil {
		return "", fmt.Errorf("ask what is not settled: %w", err)
	}
	live, err := w.live(ctx)
	if err != nil {
		return "", fmt.Errorf("ask what is live: %w", err)
	}
	if waiting == 0 && len(live) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d messages not settled, %d jobs live, the first %v", waiting, len(live), live[:min(3, len(live))]), nil
}

// waiting counts the messages that no replica has settled.
func (w *world) waiting(ctx context.Context) (uint64, error) {
	c, err := w.bus.JetStream().Consumer(ctx, bus.StreamEvents, "rules")
	if err != nil {
		return 0, err
	}
	info, err := c.Info(ctx)
	if err != nil {
		return 0, err
	}
	return info.NumPending + uint64(info.NumAckPending), nil
}

// slotTable is who works on which sensor.
func (w *world) slotTable(ctx context.Context, s *server) (jobs.Table, error) {
	control, err := w.bus.Bucket(ctx, bus.BucketControl)
	if err != nil {
		return jobs.Table{}, err
	}
	table, _, err := natsstore.Table{Bucket: bus.Sealed(control.(bus.SealedBucket).Raw(), seal.Unverified()), Server: s.name}.Load(ctx)
	return table, err
}

// live lists the jobs among the live records, with their states.
func (w *world) live(ctx context.Context) ([]string, error) {
	store, err := natsstore.Open(ctx, w.bus.JetStream(), bus.BucketJobs, bus.BucketFinished, seal.Unverified())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []string
	err = store.Watch(ctx, func(c jobs.Change) {
		if c.Job != nil {
			all = append(all, fmt.Sprintf("%s on %s: %s %s %s", c.ID, c.Job.Endpoint, c.Job.State, c.Job.Reason, c.Job.Detail))
		}
		if c.Synced {
			cancel()
		}
	})
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return all, err
}

// gather reads the evidence.
func (w *world) gather(ctx context.Context, l *ledger) (e evidence, err error) {
	e = evidence{log: l.accepted, doubtful: l.doubtful, records: map[string]*jobs.Job{}, results: map[string][]jobs.State{}, decided: map[string]string{}, stored: map[string]time.Time{}, servers: map[string]*seen{}, lasted: time.Since(w.begun)}
	for _, s := range w.servers {
		of := &seen{kind: s.kind, counters: s.sim.Counters()}
		for _, sensor := range s.newcomers.begun() {
			of.early = append(of.early, s.endpoint(sensor))
		}
		for _, x := range s.sim.State().Sensors {
			if x.Isolated {
				of.isolated = append(of.isolated, x.ID)
			}
		}
		e.servers[s.name] = of
	}
	if e.waiting, err = w.waiting(ctx); err != nil {
		return e, err
	}
	if e.live, err = w.live(ctx); err != nil {
		return e, err
	}
	store, err := natsstore.Open(ctx, w.bus.JetStream(), bus.BucketJobs, bus.BucketFinished, seal.Unverified())
	if err != nil {
		return e, err
	}
	finished, err := job.AllFinished(ctx, store, time.Time{})
	if err != nil {
		return e, err
	}
	for _, j := range finished {
		e.records[j.ID] = j
	}
	err = (&jetstream.DeadLetters{JetStream: w.bus.JetStream(), Stream: bus.StreamDead}).List(ctx, "", func(d jetstream.Dead) error {
		e.dead = append(e.dead, string(d.Message.Body))
		return nil
	})
	if err != nil {
		return e, err
	}
	return e, errors.Join(w.each(ctx, bus.StreamResults, e.result), w.each(ctx, bus.StreamJobs, e.notice))
}

// each reads a stream from its beginning to where it ends now. A cluster that is
// still electing is asked again.
func (w *world) each(ctx context.Context, stream string, see func(subject string, at time.Time, data []byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for next := uint64(1); ; {
		err := w.readFrom(ctx, stream, &next, see)
		if err == nil || ctx.Err() != nil {
			return err
		}
		w.t.Logf("reading %s from %d: %v", stream, next, err)
		_ = pause(ctx, err)
	}
}

// readFrom reads a stream from next on, which it moves, to where the stream ends now.
func (w *world) readFrom(ctx context.Context, stream string, next *uint64, see func(string, time.Time, []byte) error) error {
	s, err := w.bus.JetStream().Stream(ctx, stream)
	if err != nil {
		return err
	}
	last := s.CachedInfo().State.LastSeq
	if last < *next {
		return nil
	}
	c, err := s.OrderedConsumer(ctx, natsjs.OrderedConsumerConfig{DeliverPolicy: natsjs.DeliverByStartSequencePolicy, OptStartSeq: *next})
	if err != nil {
		return err
	}
	for *next <= last {
		m, err := c.Next(natsjs.FetchMaxWait(5 * time.Second))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if err := see(m.Subject(), meta.Timestamp, m.Data()); err != nil {
			return err
		}
		*next = meta.Sequence.Stream + 1
	}
	return nil
}

func (e evidence) result(_ string, _ time.Time, data []byte) error {
	var n struct{ Data jobs.ResultNotice }
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	e.results[n.Data.Job] = append(e.results[n.Data.Job], n.Data.State)
	return nil
}

func (e evidence) notice(subject string, at time.Time, data []byte) error {
	words := strings.Split(subject, ".") // edr.jobs.<job>.<what>
	id, what := words[2], words[3]
	if what == "decision" {
		var n struct {
			Data struct{ Reason string }
		}
		if err := json.Unmarshal(data, &n); err != nil {
			return err
		}
		e.decided[id] = n.Data.Reason
	}
	if _, known := e.stored[id]; !known {
		e.stored[id] = at
	}
	return nil
}
