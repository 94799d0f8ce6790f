//go:build linux

package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// check lists every promise that was broken.
func (e evidence) check() (broken []string) {
	for _, rule := range []struct {
		name  string
		holds func() []string
	}{
		{"nothing ran on an endpoint of another server", e.meant},
		{"every accepted event is accounted for", e.accounted},
		{"no job comes from nowhere", e.invented},
		{"every job ends", e.ended},
		{"times are right", e.times},
		{"nothing that must run once runs twice", e.once},
		{"a rule acts only where its fact holds", e.facts},
		{"nothing is begun before the record of its endpoint is told", e.early},
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
		case s.kind == noise && e.records[s.job] == nil && e.decided[s.job] != "suppressed":
			out = append(out, fmt.Sprintf("noise event %d on sensor %d: decided %q, want suppressed or a job", s.pid, s.sensor, e.decided[s.job]))
		case (s.kind == hit || s.kind == worm || s.kind == late) && e.records[s.job] == nil:
			out = append(out, fmt.Sprintf("%s event %d on sensor %d of %s has no job %s (decided %q)", s.kind, s.pid, s.sensor, s.server, s.job, e.decided[s.job]))
		}
	}
	return out
}

func (e evidence) invented() (out []string) {
	wanted := map[string]bool{}
	for _, s := range slices.Concat(e.log, e.doubtful) {
		wanted[s.job] = true
	}
	for id, j := range e.records {
		if !wanted[id] {
			out = append(out, fmt.Sprintf("job %s of rule %s on %s", id, j.Rule, j.Endpoint))
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

// timesMargin is how far a replica may be off the bus's time, by which it stamps
// what it records: half of what the slowest answer takes.
const timesMargin = 3 * time.Second

// times reports jobs that were not made between their event and their notice, and
// those that a wrong clock has ended: none has an hour to wait or to run in a test.
func (e evidence) times() (out []string) {
	for _, s := range slices.Concat(e.log, e.doubtful) {
		j := e.records[s.job]
		if j == nil {
			continue
		}
		if known := e.stored[j.ID]; j.Created.Before(s.at.Add(-timesMargin)) || !known.IsZero() && j.Created.After(known.Add(timesMargin)) {
			out = append(out, fmt.Sprintf("job %s was made at %s, its event at %s, its notice at %s", j.ID,
				j.Created.UTC().Format(time.TimeOnly), s.at.UTC().Format(time.TimeOnly), known.UTC().Format(time.TimeOnly)))
		}
		if e.hours() == 1 && (j.State == jobs.Expired || j.State == jobs.Failed && j.Reason == jobs.ReasonTimeout) {
			out = append(out, fmt.Sprintf("job %s has run out of time: %s %s\n%s", j.ID, j.State, j.Detail, life(j)))
		}
	}
	return out
}

// hours is how many hours the run has begun: what is allowed once an hour is allowed
// so often.
func (e evidence) hours() int { return 1 + int(e.lasted/time.Hour) }

// execution is a command that a sensor of a server executed.
type execution struct {
	server  string
	sensor  int
	command string
	object  string
}

// executions are those of all servers, with how often each was.
func (e evidence) executions() map[execution]int64 {
	all := map[execution]int64{}
	for name, s := range e.servers {
		for _, x := range s.counters.Executions {
			all[execution{name, x.SensorID, x.Command, x.Object}] += x.Count
		}
	}
	return all
}

// of is the number of the event for which the step that must run once ran; 0 for others.
func (x execution) of() int {
	_, last, found := cutLast(strings.TrimRight(x.object, `'"`), "n")
	if pid, err := strconv.Atoi(last); x.command == "create process" && found && err == nil {
		return pid
	}
	return 0
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (e evidence) once() (out []string) {
	type running struct {
		server      string
		sensor, pid int
	}
	ran := map[running]int64{}
	for x, n := range e.executions() {
		if x.command == "create process" {
			ran[running{x.server, x.sensor, x.of()}] += n
		}
	}
	for x, n := range ran {
		if n > 1 {
			out = append(out, fmt.Sprintf("the step of event %d ran %d times on sensor %d of %s", x.pid, n, x.sensor, x.server))
		}
	}
	for _, s := range e.log {
		if j := e.records[s.job]; s.kind == hit && j != nil && j.State == jobs.Succeeded && ran[running{s.server, s.sensor, s.pid}] == 0 {
			out = append(out, fmt.Sprintf("job %s of event %d succeeded and its process never ran", s.job, s.pid))
		}
	}
	return out
}

// meant reports what happened on endpoints that no event meant. Servers have the same
// numbers of sensors and the same host names: a step that carries the number of its
// event is held against that event, others against what was sent of the endpoint.
func (e evidence) meant() (out []string) {
	type endpoint struct {
		server string
		sensor int
	}
	events, wanted, isolable := map[int]endpoint{}, map[endpoint]bool{}, map[endpoint]bool{}
	for _, s := range slices.Concat(e.log, e.doubtful) {
		at := endpoint{s.server, s.sensor}
		events[s.pid] = at
		switch s.kind {
		case hit, noise, late:
			wanted[at] = true
		case worm:
			isolable[at] = true
		}
	}
	for x := range e.executions() {
		at := endpoint{x.server, x.sensor}
		if pid := x.of(); !wanted[at] || pid != 0 && events[pid] != at {
			out = append(out, fmt.Sprintf("%s %s on sensor %d of %s; event %d is of %v", x.command, x.object, x.sensor, x.server, pid, events[pid]))
		}
	}
	for name, s := range e.servers {
		for _, sensor := range s.isolated {
			if !isolable[endpoint{name, sensor}] {
				out = append(out, fmt.Sprintf("sensor %d of %s is isolated, and no event said so", sensor, name))
			}
		}
	}
	return out
}

// facts reports jobs on endpoints of which the rule's condition is false.
func (e evidence) facts() (out []string) {
	for _, s := range slices.Concat(e.log, e.doubtful) {
		if j := e.records[s.job]; s.kind == spared && j != nil && j.State != jobs.Skipped {
			out = append(out, fmt.Sprintf("job %s of event %d on sensor %d of %s, whose group the rule does not name, is %s\n%s", j.ID, s.pid, s.sensor, s.server, j.State, life(j)))
		}
	}
	return out
}

// early reports what was begun on endpoints of which the server had told nothing yet.
func (e evidence) early() (out []string) {
	for _, s := range e.servers {
		for _, at := range s.early {
			text := "a session was opened on " + at.String()
			for _, j := range e.records {
				if j.Endpoint == at {
					text += "\n" + life(j)
				}
			}
			out = append(out, text)
		}
	}
	return out
}

func heldForFact(j *jobs.Job) bool {
	return slices.ContainsFunc(j.History, func(t jobs.Transition) bool { return t.Reason == jobs.ReasonFactPending })
}

func (e evidence) slots() (out []string) {
	for name, s := range e.servers {
		if peak := s.counters.Sessions.Peak; peak > slots {
			out = append(out, fmt.Sprintf("%d sessions at once on %s, allowed are %d", peak, name, slots))
		}
	}
	return out
}

// order reports the jobs that ran before older ones of their sensor, unless those
// were held or backing off at the time: who waits for something of his own lets others pass.
func (e evidence) order() (out []string) {
	for _, o := range e.overtakings() {
		if !o.older.waitsBy(o.at()) {
			out = append(out, fmt.Sprintf("%s: job %s of %s ran before %s of %s\n%s%s", o.older.Endpoint,
				o.younger.ID, o.younger.Created.Format(time.StampMilli), o.older.ID, o.older.Created.Format(time.StampMilli), life(o.younger.Job), life(o.older.Job)))
		}
	}
	return out
}

// told is a job with what can be asked of its record afterwards.
type told struct{ *jobs.Job }

// waitsBy reports whether the job waited at a time for something that is only its
// own: people, or the back-off of one of its steps. What concerns the whole sensor,
// the EDR server or the bus lets nobody pass.
func (j told) waitsBy(at time.Time) bool {
	var last jobs.Transition
	for _, t := range j.History {
		if !t.At.After(at) {
			last = t
		}
	}
	return last.State == jobs.Held || last.State == jobs.Parked && last.Reason == jobs.ReasonRetry
}

// overtaking is an older job of a sensor and a younger one that ran before it.
type overtaking struct{ older, younger told }

// at is when the younger one ran.
func (o overtaking) at() time.Time { return sentOnce(o.younger.Job).Started }

// overtakings compares the commands of each sensor, in the order in which its
// server numbered sessions and commands, with the jobs' ages. A job has to come
// after another only if the other's notice had been on the bus for a second when
// it was made: two replicas that decide within one moment have no order.
func (e evidence) overtakings() (out []overtaking) {
	bySensor := map[edr.Endpoint][]*jobs.Job{}
	for _, j := range e.records {
		if j.Rule == "respond" && sentOnce(j) != nil {
			bySensor[j.Endpoint] = append(bySensor[j.Endpoint], j)
		}
	}
	for _, all := range bySensor {
		slices.SortFunc(all, func(a, b *jobs.Job) int {
			x, y := sentOnce(a), sentOnce(b)
			return cmp.Or(edr.CompareID(sessionNumber(x), sessionNumber(y)), cmp.Compare(x.Command, y.Command))
		})
		for i, later := range all {
			for _, before := range all[:i] {
				known := e.stored[later.ID]
				if !known.IsZero() && known.Add(time.Second).Before(before.Created) {
					out = append(out, overtaking{told{later}, told{before}})
				}
			}
		}
	}
	return out
}

// sessionNumber grows with the sessions of a server; a cloud's id has it before the device.
func sessionNumber(s *jobs.StepRecord) string {
	number, _, _ := strings.Cut(string(s.Session), ":")
	return number
}

// life tells a job's history, for people.
func life(j *jobs.Job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s by %s:", j.ID, j.Owner)
	for _, t := range j.History {
		fmt.Fprintf(&b, " %s %s %s %s;", t.At.Format("05.000"), t.State, t.Reason, t.Detail)
	}
	for _, s := range j.Done {
		fmt.Fprintf(&b, " [%s %s session %s command %d attempts %d]", s.ID, s.State, s.Session, s.Command, s.Attempts)
	}
	return b.String() + "\n"
}

// sentOnce is the record of the step that must run once, where it was sent. 0 is a
// command of a cloud like others.
func sentOnce(j *jobs.Job) *jobs.StepRecord {
	for i := range j.Done {
		if s := &j.Done[i]; s.ID == "once" && (s.Command != 0 || s.State == jobs.StepOK) {
			return s
		}
	}
	return nil
}

func (e evidence) guards() (out []string) {
	isolated := 0
	for name, s := range e.servers {
		for _, x := range s.counters.Executions {
			if x.SensorID == protectedSensor {
				out = append(out, fmt.Sprintf("%s %s on the protected sensor of %s", x.Command, x.Object, name))
			}
		}
		if slices.Contains(s.isolated, protectedSensor) {
			out = append(out, "the protected sensor of "+name+" is isolated")
		}
		isolated += len(s.isolated)
	}
	if isolated > isolations*e.hours() {
		out = append(out, fmt.Sprintf("%d sensors are isolated, the budget is %d an hour", isolated, isolations))
	}
	hourly := map[edr.Endpoint]int{}
	for _, j := range e.records {
		if j.Rule == ruleOf[noise] {
			if hourly[j.Endpoint]++; hourly[j.Endpoint] > e.hours() {
				out = append(out, fmt.Sprintf("job %s of %s was to be suppressed for an hour", j.ID, j.Endpoint))
			}
		}
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
		states[strings.TrimSpace(string(j.State)+" "+string(j.Reason))]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d events accepted:", len(e.log))
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&b, " %d %s", kinds[k], k)
	}
	fmt.Fprintf(&b, "\n%d jobs:", len(e.records))
	for _, s := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(&b, " %d %s,", states[s], s)
	}
	fmt.Fprintf(&b, "\n%d times a younger job passed one that was held or backing off", len(e.overtakings())-len(e.order()))
	for _, name := range slices.Sorted(maps.Keys(e.servers)) {
		of := e.servers[name]
		s := of.counters.Sessions
		fmt.Fprintf(&b, "\n%s (%s): %d commands on endpoints, %d sessions, at most %d at once of %d", name, of.kind, of.counters.Commands, s.Opened, s.Peak, slots)
	}
	fmt.Fprintf(&b, "\n%d jobs were held for a fact at first\n", e.heldForFacts())
	return b.String()
}

// heldForFacts counts the jobs whose rule could not be decided when their event came.
func (e evidence) heldForFacts() (n int) {
	for _, j := range e.records {
		if heldForFact(j) {
			n++
		}
	}
	return n
}
