//go:build linux

package chaos

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/jobs"
)

// evidence is what the checker reads once all is quiet.
type evidence struct {
	log      []sent
	live     []string             // jobs that are still among the live ones
	records  map[string]*jobs.Job // finished
	results  map[string][]jobs.State
	decided  map[string]string    // reason, by the job that was not made
	stored   map[string]time.Time // when the bus had the notice that a job exists
	dead     []string
	waiting  uint64 // messages that the service has not settled
	counters edrsim.Counters
	isolated []int
}

// settle waits until the service has nothing left to do.
func (w *world) settle(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for last := ""; ; {
		var err error
		last, err = w.unsettled(ctx)
		if err == nil && last == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not at rest after %v: %s %v", within, last, err)
		}
	}
}

// unsettled says what is left to do; "" for nothing.
func (w *world) unsettled(ctx context.Context) (string, error) {
	waiting, err := w.waiting(ctx)
	if err != nil || waiting > 0 {
		return fmt.Sprintf("%d messages not settled", waiting), err
	}
	live, err := w.live(ctx)
	if err != nil || len(live) > 0 {
		return fmt.Sprintf("%d jobs live, the first %v", len(live), live[:min(3, len(live))]), err
	}
	return "", nil
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

// live lists the jobs among the live records, with their states.
func (w *world) live(ctx context.Context) ([]string, error) {
	store, err := jobs.OpenKV(ctx, w.bus.JetStream(), bus.BucketJobs, bus.BucketFinished)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []string
	err = store.Watch(ctx, func(c jobs.Change) {
		if c.Job != nil {
			all = append(all, fmt.Sprintf("%s on %d: %s %s %s", c.ID, c.Job.Sensor, c.Job.State, c.Job.Reason, c.Job.Detail))
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
	e = evidence{log: l.accepted, records: map[string]*jobs.Job{}, results: map[string][]jobs.State{}, decided: map[string]string{}, stored: map[string]time.Time{}, counters: w.sim.Counters()}
	for _, s := range w.sim.State().Sensors {
		if s.Isolated {
			e.isolated = append(e.isolated, s.ID)
		}
	}
	if e.waiting, err = w.waiting(ctx); err != nil {
		return e, err
	}
	if e.live, err = w.live(ctx); err != nil {
		return e, err
	}
	store, err := jobs.OpenKV(ctx, w.bus.JetStream(), bus.BucketJobs, bus.BucketFinished)
	if err != nil {
		return e, err
	}
	finished, err := store.Finished(ctx, time.Time{})
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

// each reads a stream from its beginning to where it ends now.
func (w *world) each(ctx context.Context, stream string, see func(subject string, at time.Time, data []byte) error) error {
	s, err := w.bus.JetStream().Stream(ctx, stream)
	if err != nil {
		return err
	}
	info, err := s.Info(ctx)
	if err != nil || info.State.Msgs == 0 {
		return err
	}
	c, err := s.OrderedConsumer(ctx, natsjs.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	for failed := 0; ; {
		m, err := c.Next(natsjs.FetchMaxWait(10 * time.Second))
		if err != nil {
			if failed++; failed == 10 { // a cluster that is still electing
				return fmt.Errorf("read %s: %w", stream, err)
			}
			continue
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if err := see(m.Subject(), meta.Timestamp, m.Data()); err != nil {
			return err
		}
		if meta.Sequence.Stream >= info.State.LastSeq {
			return nil
		}
	}
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

// check lists every promise that was broken.
func (e evidence) check() (broken []string) {
	for _, rule := range []struct {
		name  string
		holds func() []string
	}{
		{"every accepted event is accounted for", e.accounted},
		{"no job comes from nowhere", e.invented},
		{"every job ends", e.ended},
		{"nothing that must run once runs twice", e.once},
		{"slots are not exceeded", e.slots},
		{"a sensor's jobs run one after another, in order", e.order},
		{"guards are not broken", e.guards},
		{"each job has one result, and the right one", e.oneResult},
	} {
		for _, p := range rule.holds() {
			broken = append(broken, rule.name+": "+p)
		}
	}
	return broken
}

func (e evidence) accounted() (out []string) {
	if e.waiting > 0 {
		out = append(out, fmt.Sprintf("%d messages are not settled", e.waiting))
	}
	dead := map[string]bool{}
	for _, d := range e.dead {
		dead[d] = true
	}
	for _, s := range e.log {
		switch {
		case s.kind == poison && !dead[s.line]:
			out = append(out, "poison is no dead letter: "+s.line)
		case s.kind == jewel && (e.decided[s.job] != "protected" || e.records[s.job] != nil):
			out = append(out, fmt.Sprintf("event %d on the protected sensor: decided %q, want protected and no job", s.pid, e.decided[s.job]))
		case (s.kind == hit || s.kind == worm) && e.records[s.job] == nil:
			out = append(out, fmt.Sprintf("%s event %d on sensor %d has no job %s (decided %q)", s.kind, s.pid, s.sensor, s.job, e.decided[s.job]))
		}
	}
	return out
}

func (e evidence) invented() (out []string) {
	wanted := map[string]bool{}
	for _, s := range e.log {
		wanted[s.job] = true
	}
	for id, j := range e.records {
		if !wanted[id] {
			out = append(out, fmt.Sprintf("job %s of rule %s on sensor %d", id, j.Rule, j.Sensor))
		}
	}
	return out
}

func (e evidence) ended() (out []string) {
	out = append(out, e.live...)
	for id, j := range e.records {
		if !j.State.Terminal() {
			out = append(out, id+" is "+string(j.State))
		}
	}
	return out
}

// ran counts the executions of the step that must run once, by what tells them apart.
func (e evidence) ran() map[string]int64 {
	ran := map[string]int64{}
	for _, x := range e.counters.Executions {
		if x.Command == "create process" {
			ran[fmt.Sprintf("%d %s", x.SensorID, x.Object)] += x.Count
		}
	}
	return ran
}

func (e evidence) once() (out []string) {
	ran := e.ran()
	for what, n := range ran {
		if n > 1 {
			out = append(out, fmt.Sprintf("%q on a sensor ran %d times", what, n))
		}
	}
	for _, s := range e.log {
		j := e.records[s.job]
		if s.kind != hit || j == nil || j.State != jobs.Succeeded {
			continue
		}
		found := false
		for what := range ran {
			found = found || strings.HasPrefix(what, fmt.Sprintf("%d ", s.sensor)) && strings.Contains(what, fmt.Sprintf("n%d", s.pid))
		}
		if !found {
			out = append(out, fmt.Sprintf("job %s of event %d succeeded and its process never ran", s.job, s.pid))
		}
	}
	return out
}

func (e evidence) slots() []string {
	if s := e.counters.Sessions; s.Peak > slots {
		return []string{fmt.Sprintf("%d sessions at once, allowed are %d", s.Peak, slots)}
	}
	return nil
}

// order compares the commands of a sensor, in the order in which its server
// numbered them, with the jobs' ages. A job is held to come after another only
// if that one was already known to all, its notice on the bus, for a second
// before it was made: two replicas that decide within one moment have no order.
func (e evidence) order() (out []string) {
	bySensor := map[int][]*jobs.Job{}
	for _, j := range e.records {
		if j.Rule == "respond" && sentOnce(j) != nil {
			bySensor[j.Sensor] = append(bySensor[j.Sensor], j)
		}
	}
	for sensor, all := range bySensor {
		slices.SortFunc(all, func(a, b *jobs.Job) int {
			x, y := sentOnce(a), sentOnce(b)
			return cmp.Or(cmp.Compare(x.Session, y.Session), cmp.Compare(x.Command, y.Command))
		})
		for i, later := range all {
			for _, earlier := range all[:i] {
				known := e.stored[later.ID]
				if !known.IsZero() && known.Add(time.Second).Before(earlier.Created) {
					out = append(out, fmt.Sprintf("sensor %d: job %s of %s ran before %s, known since %s, created %s\n%s%s", sensor,
						earlier.ID, earlier.Created.Format(time.StampMilli), later.ID, known.Format(time.StampMilli), later.Created.Format(time.StampMilli), life(earlier), life(later)))
				}
			}
		}
	}
	return out
}

// life tells a job's history, for people.
func life(j *jobs.Job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s by %s:", j.ID, j.Owner)
	for _, t := range j.History {
		fmt.Fprintf(&b, " %s %s %s %s;", t.At.Format("05.000"), t.State, t.Reason, t.Detail)
	}
	for _, s := range j.Done {
		fmt.Fprintf(&b, " [%s %s session %d command %d attempts %d]", s.ID, s.State, s.Session, s.Command, s.Attempts)
	}
	return b.String() + "\n"
}

// sentOnce is the record of the step that must run once, where it was sent.
func sentOnce(j *jobs.Job) *jobs.StepRecord {
	for i := range j.Done {
		if s := &j.Done[i]; s.ID == "once" && s.Command != 0 {
			return s
		}
	}
	return nil
}

func (e evidence) guards() (out []string) {
	for _, x := range e.counters.Executions {
		if x.SensorID == protectedSensor {
			out = append(out, fmt.Sprintf("%s %s on the protected sensor", x.Command, x.Object))
		}
	}
	if slices.Contains(e.isolated, protectedSensor) {
		out = append(out, "the protected sensor is isolated")
	}
	if len(e.isolated) > isolations {
		out = append(out, fmt.Sprintf("%d sensors are isolated, the budget is %d", len(e.isolated), isolations))
	}
	return out
}

func (e evidence) oneResult() (out []string) {
	for id, j := range e.records {
		if got := e.results[id]; len(got) != 1 || got[0] != j.State {
			out = append(out, fmt.Sprintf("job %s is %s, results %v", id, j.State, got))
		}
	}
	for id := range e.results {
		if e.records[id] == nil {
			out = append(out, "result of the unknown job "+id)
		}
	}
	return out
}

// summary is what the run came to.
func (e evidence) summary() string {
	kinds, states := map[kind]int{}, map[string]int{}
	for _, s := range e.log {
		kinds[s.kind]++
	}
	for _, j := range e.records {
		states[string(j.State)]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d events accepted:", len(e.log))
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&b, " %d %s", kinds[k], k)
	}
	fmt.Fprintf(&b, "\n%d jobs:", len(e.records))
	for _, s := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(&b, " %d %s", states[s], s)
	}
	s := e.counters.Sessions
	fmt.Fprintf(&b, "\n%d commands on endpoints, %d sessions, at most %d at once of %d\n", e.counters.Commands, s.Opened, s.Peak, slots)
	return b.String()
}
