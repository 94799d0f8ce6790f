package index

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"edrpipe/pkg/events"
)

// Costs are learnt, and plans exchanged, while other goroutines match: what is
// found must stay the same.
func TestConcurrentMatchingWhileLearning(t *testing.T) {
	var sources []string
	for i := range 50 {
		sources = append(sources, fmt.Sprintf(`process.name == "p%d" && icontains(process.command_line, "word%d") || process.pid == %d`, i%7, i, i))
	}
	x := newIndex(t, "process_start", sources...)
	event := func(i int) *events.Event {
		e := processStart()
		e.Process.Name, e.Process.CommandLine, e.Process.PID = fmt.Sprintf("p%d", i%9), fmt.Sprintf("run WORD%d now", i%60), i%80
		return e
	}
	var want [720][]int
	for i := range want {
		e := event(i)
		want[i] = x.Class(e.Event.Type, e.Event.Kind).Candidates(nil, e)
	}
	y := newIndex(t, "process_start", sources...)
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for i := range 4 * len(want) {
				e := event((i + w*100) % len(want))
				got := y.Class(e.Event.Type, e.Event.Kind).Candidates(nil, e)
				if !slices.Equal(got, want[(i+w*100)%len(want)]) {
					t.Errorf("event %d: candidates %v, want %v", i, got, want[(i+w*100)%len(want)])
					return
				}
			}
		})
	}
	workers.Wait()
	if c := y.Class("ingress.event.procstart", "process_start"); c.learner.stride.Load() == 1 {
		t.Error("nothing was learnt")
	}
}
