package rules

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/events"
)

// TestBacktestInAnyOrder: a recording gives one report whatever its order.
func TestBacktestInAnyOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "r.yaml"), `
rules:
  - { id: tamper, on: tamper, when: 'tamper.type != ""', suppress: { for: 15m }, steps: [ { uses: list_processes } ] }
  - id: storm
    on: tamper
    when: tamper.type == "CbServiceStopped"
    correlate: { type: event_count, group_by: [sensor.id], timespan: 30m, gte: 3 }
    steps: [ { uses: list_processes } ]
`)
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var recording []*events.Event
	for i := range 40 {
		at := testBegin.Add(time.Duration(i) * 7 * time.Minute)
		recording = append(recording, &events.Event{
			Event:  events.Meta{ID: digestOf([]byte{byte(i)}), Type: "ingress.event.tamper", Kind: events.TamperAlert, Time: at, Received: at},
			Sensor: events.Sensor{ID: "1", IDs: []string{"1"}},
			Tamper: events.Tamper{Type: "CbServiceStopped"},
		})
	}
	replay := func() BacktestReport {
		b := Backtest{Set: set}
		order := InOrder{Handle: func(e *events.Event) error { return b.Event(t.Context(), e) }}
		for _, e := range recording {
			if err := order.Event(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := order.Finish(); err != nil {
			t.Fatal(err)
		}
		return b.Report()
	}
	want := replay()
	if want.Jobs < 2 || !want.From.Equal(testBegin) || !want.To.Equal(recording[39].Event.Time) {
		t.Errorf("report = %+v", want)
	}
	for range 5 {
		rand.Shuffle(len(recording), func(i, j int) { recording[i], recording[j] = recording[j], recording[i] })
		if diff := cmp.Diff(want, replay()); diff != "" {
			t.Error(diff)
		}
	}
}

// TestTimelessEventsCompleteNoCorrelation: an event whose time is not known is refused
// where events are counted, even with max_age: any.
func TestTimelessEventsCompleteNoCorrelation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "r.yaml"), `
rules:
  - id: pair
    on: tamper
    when: tamper.type == "CbServiceStopped"
    max_age: any
    correlate: { type: event_count, group_by: [sensor.id], timespan: 30m, gte: 1 }
    steps: [ { uses: list_processes } ]
`)
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := &events.Event{
		Event:  events.Meta{ID: "1", Type: "ingress.event.tamper", Kind: events.TamperAlert, Received: testBegin},
		Sensor: events.Sensor{ID: "1", IDs: []string{"1"}},
		Tamper: events.Tamper{Type: "CbServiceStopped"},
	}
	decisions, err := NewSimulation(set, testBegin).Event(t.Context(), e)
	if err != nil || len(decisions) != 1 || decisions[0].Verdict != Refused || decisions[0].Match.Refused != TimeUnknown {
		t.Errorf("decisions = %+v, %v", decisions, err)
	}
	e.Event.Time = testBegin
	decisions, err = NewSimulation(set, testBegin).Event(t.Context(), e)
	if err != nil || len(decisions) != 1 || decisions[0].Verdict != Acts {
		t.Errorf("with a time: decisions = %+v, %v", decisions, err)
	}
}
