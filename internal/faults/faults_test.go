package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/job"
	"edrpipe/pkg/jobs/natsstore"
)

// mostOf bounds how many calls of one kind fail: later ones are the same again.
const mostOf = 5

// TestEveryCallFailsOnce has each call to the bus fail, before and after its effect, and
// checks each time that nothing was lost and nothing done twice.
func TestEveryCallFailsOnce(t *testing.T) {
	// The bus has goroutines that all servers of a process share: those of this one are
	// not in a bubble.
	bustest.Start(t)
	file := rulesIn(t)
	kinds, total := 0, 0
	var hits atomic.Int64
	for _, alone := range []bool{false, true} { // the two ways to read events
		calls, _ := try(t, file, alone, bustest.Fault{Call: "none"})
		kinds = max(kinds, len(calls))
		var faults []bustest.Fault
		for _, call := range slices.Sorted(maps.Keys(calls)) {
			if alone && !strings.HasPrefix(call, "$JS.ACK") && !strings.HasPrefix(call, "$JS.API.CONSUMER") {
				continue // as the other way
			}
			for n := range min(calls[call], mostOf) {
				faults = append(faults, bustest.Fault{Call: call, Nth: n + 1})
				if !standsStill(call) {
					faults = append(faults, bustest.Fault{Call: call, Nth: n + 1, After: true})
				}
			}
		}
		total += len(faults)
		t.Run(fmt.Sprintf("alone=%t", alone), func(t *testing.T) {
			for _, fault := range faults {
				t.Run(fmt.Sprintf("%s %d after=%t", fault.Call, fault.Nth, fault.After), func(t *testing.T) {
					t.Parallel()
					if _, hit := try(t, file, alone, fault); hit {
						hits.Add(1)
					}
				})
			}
		})
	}
	t.Logf("%d kinds of calls, %d faults, %d of them hit", kinds, total, hits.Load())
	if kinds < 25 || int(hits.Load()) < total*9/10 {
		t.Errorf("%d kinds of calls, of %d faults %d hit: the test shows less than it should", kinds, total, hits.Load())
	}
}

// standsStill reports whether the time of a bubble stands still once the answer of a call
// is lost: the client library makes the consumer of a bucket while it holds the mutex that
// the first message needs, and a mutex that is waited for is not a reason for time to go on.
func standsStill(call string) bool { return strings.HasPrefix(call, "$JS.API.CONSUMER.CREATE.KV_") }

// try lives through one world and returns the calls that were made in it.
func try(t *testing.T, file string, alone bool, fault bustest.Fault) (calls map[string]int, hit bool) {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		t.Error(err)
		return nil, false
	}
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("the call %d of %s failed, after its effect: %t", fault.Nth, fault.Call, fault.After)
			}
		}()
		w := build(t, dir, file, alone)
		w.faulty.Arm(fault)
		w.send(t)
		w.settled(t)
		calls, hit = w.faulty.Calls(), w.faulty.Hit()
		w.stop()
		w.check(t)
	})
	return calls, hit
}

// check holds the world to the promises.
func (w *world) check(t *testing.T) {
	t.Helper()
	store, err := natsstore.Open(t.Context(), w.bus.JetStream(), bus.BucketJobs, bus.BucketFinished, nil)
	fatal(t, err)
	done, err := job.AllFinished(t.Context(), store, time.Time{})
	fatal(t, err)
	byRule, ids := map[string]int{}, []string{}
	for _, j := range done {
		byRule[j.Rule]++
		ids = append(ids, j.ID)
		if n := w.srv.done("once " + j.ID); j.State != jobs.Succeeded || n != 1 {
			t.Errorf("job of rule %s ended as %s (%s: %s), its once step ran %d times", j.Rule, j.State, j.Reason, j.Detail, n)
		}
		if j.Rule == "acts" && w.srv.done("mark "+j.ID) != 1 {
			t.Errorf("its effect was made %d times", w.srv.done("mark "+j.ID))
		}
	}
	if want := map[string]int{"acts": 1, "counts": 1, "limited": 1}; !maps.Equal(byRule, want) {
		t.Errorf("jobs by rule: %v, want %v", byRule, want)
	}
	slices.Sort(ids)
	if got := w.subjects(t, bus.StreamResults, "edr.results.", 3); !slices.Equal(got, ids) {
		t.Errorf("results of %v, want of %v", got, ids)
	}
	if got, want := w.decisions(t), []string{"acts suppressed", "limited limit"}; !slices.Equal(got, want) {
		t.Errorf("decisions %v, want %v", got, want)
	}
	if got, want := w.subjects(t, bus.StreamDead, "edr.dead.", 2), []string{"bad_json", "rule_failed"}; !slices.Equal(got, want) {
		t.Errorf("dead letters %v, want %v", got, want)
	}
	if r, err := audit.Verify(t.Context(), &audit.Stream{JetStream: w.bus.JetStream(), Name: bus.StreamAudit, Subject: "edr.audit"}, nil); err != nil || int(r.Entries) < len(ids)*2+2 {
		t.Errorf("audit log: %+v, %v", r, err)
	}
}

// messages visits what is in a stream below a prefix.
func (w *world) messages(t *testing.T, name, prefix string, visit func(subject string, data []byte)) {
	t.Helper()
	s, err := w.bus.JetStream().Stream(t.Context(), name)
	fatal(t, err)
	info, err := s.Info(t.Context())
	fatal(t, err)
	for seq := max(info.State.FirstSeq, 1); seq <= info.State.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		fatal(t, err)
		if strings.HasPrefix(m.Subject, prefix) {
			visit(m.Subject, m.Data)
		}
	}
}

// subjects is a token of each subject in a stream, sorted.
func (w *world) subjects(t *testing.T, name, prefix string, token int) (all []string) {
	t.Helper()
	w.messages(t, name, prefix, func(subject string, _ []byte) { all = append(all, strings.Split(subject, ".")[token]) })
	slices.Sort(all)
	return all
}

func (w *world) decisions(t *testing.T) (all []string) {
	t.Helper()
	w.messages(t, bus.StreamJobs, "edr.jobs.", func(subject string, data []byte) {
		if !strings.HasSuffix(subject, ".decision") {
			return
		}
		var event struct{ Data struct{ Rule, Reason string } }
		fatal(t, json.Unmarshal(data, &event))
		all = append(all, fmt.Sprint(event.Data.Rule, " ", event.Data.Reason))
	})
	slices.Sort(all)
	return all
}
