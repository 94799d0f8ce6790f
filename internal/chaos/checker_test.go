//go:build linux

package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// noon is when the events of the planted evidence begin.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// keptPromises is evidence of a run in which nothing went wrong: two hits on
// sensor 2, an isolation of sensor 3, a hit on the protected sensor, noise, of which
// the second is suppressed, something that no rule wants, and poison.
func keptPromises() evidence {
	hitJob := func(id string, minute, session int) *jobs.Job {
		return &jobs.Job{
			ID: id, Rule: "respond", Endpoint: edr.Endpoint{Server: "sim", ID: "2"}, State: jobs.Succeeded, Created: noon.Add(time.Duration(minute) * time.Minute),
			Done:    []jobs.StepRecord{{ID: "once", State: jobs.StepOK, Session: looseid.ID(looseid.Text(session)), Command: 2, Started: noon.Add(time.Duration(session) * time.Hour)}},
			History: []jobs.Transition{{At: noon.Add(time.Duration(minute) * time.Minute), State: jobs.Queued}},
		}
	}
	ran := func(sensor int, object string) edrsim.Execution {
		return edrsim.Execution{SensorID: sensor, Command: "create process", Object: object, Count: 1}
	}
	return evidence{
		log: []sent{
			{kind: hit, server: "branch", sensor: 4, pid: 1010, job: "elsewhere"}, {kind: spared, server: "branch", sensor: 7, pid: 1011, job: "spared"},
			{kind: late, server: "sim", sensor: 5, pid: 1012, job: "late"}, {kind: stray, server: "sim", sensor: 9, pid: 1013},
			{kind: hit, server: "sim", sensor: 2, pid: 1001, job: "first", at: noon}, {kind: hit, server: "sim", sensor: 2, pid: 1002, job: "second", at: noon.Add(time.Minute)},
			{kind: noise, server: "sim", sensor: 2, pid: 1008, job: "noise", at: noon}, {kind: noise, server: "sim", sensor: 2, pid: 1009, job: "more noise", at: noon},
			{kind: worm, server: "sim", sensor: 3, pid: 1003, job: "worm"}, {kind: jewel, server: "sim", sensor: protectedSensor, pid: 1004, job: "jewel"},
			{kind: nothing, server: "sim", sensor: 4, pid: 1005}, {kind: poison, server: "sim", sensor: 4, pid: 1006, line: "{"},
		},
		doubtful: []sent{{kind: hit, server: "sim", sensor: 4, pid: 1007, job: "perhaps"}},
		records: map[string]*jobs.Job{
			"first": hitJob("first", 0, 7), "second": hitJob("second", 1, 8),
			"elsewhere": {ID: "elsewhere", Rule: "respond", Endpoint: edr.Endpoint{Server: "branch", ID: "4"}, State: jobs.Succeeded},
			"spared":    {ID: "spared", Rule: "facts", Endpoint: edr.Endpoint{Server: "branch", ID: "7"}, State: jobs.Skipped},
			"late":      {ID: "late", Rule: "facts", Endpoint: edr.Endpoint{Server: "sim", ID: "5"}, State: jobs.Succeeded},
			"worm":      {ID: "worm", Rule: "isolate", Endpoint: edr.Endpoint{Server: "sim", ID: "3"}, State: jobs.Succeeded},
			"noise":     {ID: "noise", Rule: "hourly", Endpoint: edr.Endpoint{Server: "sim", ID: "2"}, State: jobs.Succeeded, Created: noon},
		},
		results: map[string][]jobs.State{"elsewhere": {jobs.Succeeded}, "spared": {jobs.Skipped}, "late": {jobs.Succeeded}, "first": {jobs.Succeeded}, "second": {jobs.Succeeded}, "worm": {jobs.Succeeded}, "noise": {jobs.Succeeded}},
		decided: map[string]string{"jewel": "protected", "more noise": "suppressed"},
		stored:  map[string]time.Time{"first": noon.Add(time.Second), "second": noon.Add(61 * time.Second)},
		dead:    []string{"{"},
		servers: map[string]*seen{
			"sim": {isolated: []int{3}, counters: edrsim.Counters{
				Sessions:   edrsim.SessionCounters{Peak: slots},
				Executions: []edrsim.Execution{ran(2, "whoami.exe n1001"), ran(2, "whoami.exe n1002")},
			}},
			"branch": {counters: edrsim.Counters{Executions: []edrsim.Execution{ran(4, "whoami.exe n1010")}}},
		},
	}
}

// TestCheckerBelievesCleanEvidence: a checker that cries wolf is of no use either.
func TestCheckerBelievesCleanEvidence(t *testing.T) {
	if broken := keptPromises().check(); len(broken) > 0 {
		t.Errorf("nothing is wrong, and the checker says: %q", broken)
	}
}

// TestCheckerFindsPlantedFaults: the checker is trusted because it reports each
// of these, and nothing besides.
func TestCheckerFindsPlantedFaults(t *testing.T) {
	const (
		accounted = "every accepted event is accounted for"
		invented  = "no job comes from nowhere"
		ended     = "every job ends"
		times     = "times are right"
		once      = "nothing that must run once runs twice"
		order     = "a sensor's jobs run one after another, in order"
		guards    = "guards are not broken"
		meant     = "nothing ran on an endpoint of another server"
		facts     = "a rule acts only where its fact holds"
		early     = "nothing is begun before the record of its endpoint is told"
		result    = "each job has one result, and the right one"
	)
	for _, tt := range []struct {
		name  string
		plant func(*evidence)
		want  []string
	}{
		{"a match made no job", func(e *evidence) { delete(e.records, "second"); delete(e.results, "second") }, []string{accounted}},
		{"an isolation was lost", func(e *evidence) { delete(e.records, "worm"); delete(e.results, "worm") }, []string{accounted}},
		{"poison vanished", func(e *evidence) { e.dead = nil }, []string{accounted}},
		{"a message was never settled", func(e *evidence) { e.waiting = 1 }, []string{accounted}},
		{"nobody was told of a denial", func(e *evidence) { delete(e.decided, "jewel") }, []string{accounted}},
		{"a denial has the wrong reason", func(e *evidence) { e.decided["jewel"] = "suppressed" }, []string{accounted}},
		{"a match made a second job", func(e *evidence) {
			e.records["again"] = &jobs.Job{ID: "again", Rule: "respond", Endpoint: edr.Endpoint{Server: "sim", ID: "2"}, State: jobs.Denied}
			e.results["again"] = []jobs.State{jobs.Denied}
		}, []string{invented}},
		{"a job is still live", func(e *evidence) { e.live = []string{"first on 2: queued"} }, []string{ended}},
		{"a job among the finished is not terminal", func(e *evidence) { e.records["worm"].State = jobs.Running }, []string{ended, result}},
		{"a job was made before its event", func(e *evidence) { e.records["first"].Created = noon.Add(-time.Hour) }, []string{times}},
		{"a job was made after its notice", func(e *evidence) { e.records["noise"].Created = noon.Add(time.Hour); e.stored["noise"] = noon }, []string{times}},
		{"a job has expired before its hour", func(e *evidence) {
			e.records["worm"].State = jobs.Expired
			e.results["worm"] = []jobs.State{jobs.Expired}
		}, []string{times}},
		{"a job has run out of its hour", func(e *evidence) {
			e.records["worm"].State, e.records["worm"].Reason = jobs.Failed, jobs.ReasonTimeout
			e.results["worm"] = []jobs.State{jobs.Failed}
		}, []string{times}},
		{"a step ran twice", func(e *evidence) { e.servers["sim"].counters.Executions[0].Count = 2 }, []string{once}},
		{"a step ran twice, counted apart", func(e *evidence) {
			x := e.servers["sim"]
			x.counters.Executions = append(x.counters.Executions, x.counters.Executions[0])
		}, []string{once}},
		{"a job claims a step that never ran", func(e *evidence) { x := e.servers["sim"]; x.counters.Executions = x.counters.Executions[:1] }, []string{once}},
		{"a job claims a step of which only one with a like name ran", func(e *evidence) { e.servers["sim"].counters.Executions[1].Object = "whoami.exe n10020" }, []string{once, meant}},
		{"one session too many", func(e *evidence) { e.servers["branch"].counters.Sessions.Peak = slots + 1 }, []string{"slots are not exceeded"}},
		{"the later job ran first, on an earlier session", func(e *evidence) { e.records["second"].Done[0].Session = "6" }, []string{order}},
		{"the later job ran first, on session 9 before 10", func(e *evidence) {
			e.records["first"].Done[0].Session, e.records["second"].Done[0].Session = "10", "9"
		}, []string{order}},
		{"the later job ran later, on session 10 after 9", func(e *evidence) {
			e.records["first"].Done[0].Session, e.records["second"].Done[0].Session = "9", "10"
		}, nil},
		{"the later job ran first, on the same session", func(e *evidence) {
			e.records["second"].Done[0].Session, e.records["second"].Done[0].Command = "7", 1
		}, []string{order}},
		{"the later job ran first, because a step of the other backed off", func(e *evidence) {
			e.records["second"].Done[0].Session = "6"
			e.records["first"].History = append(e.records["first"].History, jobs.Transition{At: noon.Add(time.Minute), State: jobs.Parked, Reason: jobs.ReasonRetry})
		}, nil},
		{"the later job ran first, because the other was parked for what concerns both", func(e *evidence) {
			e.records["second"].Done[0].Session = "6"
			e.records["first"].History = append(e.records["first"].History, jobs.Transition{At: noon.Add(time.Minute), State: jobs.Parked, Reason: jobs.ReasonPaused})
		}, []string{order}},
		{"the later job ran first, when the other was parked no more", func(e *evidence) {
			e.records["second"].Done[0].Session = "6"
			e.records["first"].History = append(e.records["first"].History,
				jobs.Transition{At: noon.Add(time.Minute), State: jobs.Parked, Reason: jobs.ReasonRetry}, jobs.Transition{At: noon.Add(2 * time.Minute), State: jobs.Queued})
		}, []string{order}},
		{"a command on the protected sensor", func(e *evidence) {
			x := e.servers["branch"]
			x.counters.Executions = append(x.counters.Executions, edrsim.Execution{SensorID: protectedSensor, Command: "process list", Count: 1})
		}, []string{guards, meant}},
		{"the protected sensor is isolated", func(e *evidence) { e.servers["sim"].isolated = []int{protectedSensor} }, []string{guards, meant}},
		{"one isolation beyond the budget", func(e *evidence) { e.servers["sim"].isolated = []int{3, 4, 5} }, []string{guards, meant}},
		{"a step ran on the same number of the other server", func(e *evidence) {
			x, y := e.servers["branch"], e.servers["sim"]
			x.counters.Executions, y.counters.Executions = y.counters.Executions[:1], append(y.counters.Executions[1:], x.counters.Executions...)
		}, []string{meant, once}},
		{"a step ran on the same number of the other server, too", func(e *evidence) {
			x := e.servers["branch"]
			x.counters.Executions = append(x.counters.Executions, edrsim.Execution{SensorID: 2, Command: "process list", Count: 1})
		}, []string{meant}},
		{"a stray of an unknown server ran", func(e *evidence) {
			x := e.servers["sim"]
			x.counters.Executions = append(x.counters.Executions, edrsim.Execution{SensorID: 9, Command: "process list", Count: 1})
		}, []string{meant}},
		{"the same number of the other server is isolated", func(e *evidence) {
			e.servers["sim"].isolated, e.servers["branch"].isolated = nil, []int{3}
		}, []string{meant}},
		{"a rule acted where its fact does not hold", func(e *evidence) {
			e.records["spared"].State, e.results["spared"] = jobs.Succeeded, []jobs.State{jobs.Succeeded}
		}, []string{facts}},
		{"something was begun before the facts were told", func(e *evidence) {
			e.servers["branch"].early = []edr.Endpoint{{Server: "branch", ID: "11"}}
		}, []string{early}},
		{"a match that waited for a fact was lost", func(e *evidence) { delete(e.records, "late"); delete(e.results, "late") }, []string{accounted}},
		{"the second noise of an hour made a job", func(e *evidence) {
			e.records["more noise"] = &jobs.Job{ID: "more noise", Rule: "hourly", Endpoint: edr.Endpoint{Server: "sim", ID: "2"}, State: jobs.Succeeded, Created: noon}
			e.results["more noise"] = []jobs.State{jobs.Succeeded}
		}, []string{guards}},
		{"noise was lost", func(e *evidence) { delete(e.decided, "more noise") }, []string{accounted}},
		{"the protected sensor got a job", func(e *evidence) {
			e.records["jewel"] = &jobs.Job{ID: "jewel", Rule: "respond", Endpoint: edr.Endpoint{Server: "sim", ID: looseid.Text(protectedSensor)}, State: jobs.Denied}
			e.results["jewel"] = []jobs.State{jobs.Denied}
		}, []string{accounted}},
		{"a result is missing", func(e *evidence) { delete(e.results, "first") }, []string{result}},
		{"a result came twice", func(e *evidence) { e.results["first"] = []jobs.State{jobs.Succeeded, jobs.Succeeded} }, []string{result}},
		{"a result says something else", func(e *evidence) { e.results["first"] = []jobs.State{jobs.Failed} }, []string{result}},
		{"a result of no job", func(e *evidence) { e.results["ghost"] = []jobs.State{jobs.Succeeded} }, []string{result}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := keptPromises()
			tt.plant(&e)
			var got []string
			for _, p := range e.check() {
				promise, _, _ := strings.Cut(p, ": ")
				got = append(got, promise)
			}
			slices.Sort(got)
			slices.Sort(tt.want)
			if got = slices.Compact(got); !slices.Equal(got, tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
		})
	}
}
