package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/shares"
)

const correlating = `
rules:
  - id: five-in-a-minute
    on: network
    when: net.remote_port == 22
    correlate: { type: event_count, group_by: [sensor.id], timespan: 1m, gte: 5 }
    steps: [{ uses: list_processes }]
  - id: three-hosts
    on: process_start
    when: process.sha256 != ""
    correlate: { type: value_count, field: sensor.id, group_by: [process.sha256], timespan: 10m, gte: 3 }
    steps: [{ uses: list_processes }]
  - id: dropped
    on: file
    when: file.ext == "exe"
    steps: [{ uses: list_processes }]
  - id: called-home
    on: network
    when: net.remote_port == 443
    steps: [{ uses: list_processes }]
  - id: dropper
    on: [file, network]
    when: "true"
    correlate: { type: temporal, group_by: [sensor.id], timespan: 5m, rules: [dropped, called-home] }
    steps: [{ uses: list_processes }]
  - id: dropper-ordered
    on: [file, network]
    when: "true"
    correlate: { type: temporal_ordered, group_by: [sensor.id], timespan: 5m, rules: [dropped, called-home] }
    steps: [{ uses: list_processes }]
`

var epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// at is an event of a sensor at an offset from epoch.
func at(offset time.Duration, id string, sensor int, fill func(*events.Event)) *events.Event {
	e := &events.Event{}
	e.Event.ID, e.Event.Time, e.Event.Received = id, epoch.Add(offset), epoch.Add(24*time.Hour)
	e.Sensor.Server, e.Sensor.ID = "edr", strconv.Itoa(sensor)
	e.Sensor.IDs = []string{e.Sensor.ID}
	fill(e)
	return e
}

func connection(port int) func(*events.Event) {
	return func(e *events.Event) {
		e.Event.Type, e.Event.Kind, e.Net.RemotePort = "ingress.event.netconn", events.Network, port
	}
}

func dropped(e *events.Event) {
	e.Event.Type, e.Event.Kind, e.File.Ext = "ingress.event.filemod", events.FileChange, "exe"
}

func started(sha256 string) func(*events.Event) {
	return func(e *events.Event) {
		e.Event.Type, e.Event.Kind, e.Process.SHA256 = "ingress.event.procstart", events.ProcessStart, sha256
	}
}

// correlated feeds events in order and lists "event rule" for each rule that
// fired by correlation.
func correlated(t testing.TB, c *Correlator, set *Set, evs ...*events.Event) []string {
	t.Helper()
	fired := []string{}
	for _, e := range evs {
		found, failures := set.Match(e)
		matches, more, err := c.Correlate(context.Background(), set, found)
		if err != nil || len(failures)+len(more) > 0 {
			t.Fatalf("event %s: %v, failures %v %v", e.Event.ID, err, failures, more)
		}
		for _, m := range matches {
			if m.Rule.Correlate != nil {
				fired = append(fired, e.Event.ID+" "+m.Rule.ID)
			}
		}
	}
	return fired
}

func TestCorrelate(t *testing.T) {
	m := time.Minute
	tests := []struct {
		name   string
		events []*events.Event
		want   []string
	}{
		{"five within a minute, once", series(7, 10*time.Second, 1, connection(22)), []string{"e4 five-in-a-minute"}},
		{"five in longer", series(5, 20*time.Second, 1, connection(22)), nil},
		{"again after the timespan", series(15, 10*time.Second, 1, connection(22)), []string{"e4 five-in-a-minute", "e11 five-in-a-minute"}},
		{"others' events do not count", append(series(4, m/10, 1, connection(22)), series(4, m/10, 2, connection(22))...), nil},
		{"different values", []*events.Event{
			at(0, "a", 1, started("aa")), at(m, "b", 1, started("aa")), at(2*m, "c", 2, started("aa")),
			at(3*m, "d", 2, started("bb")), at(4*m, "e", 3, started("aa")),
		}, []string{"e three-hosts"}},
		{"in any order", []*events.Event{at(0, "a", 1, connection(443)), at(m, "b", 1, dropped)}, []string{"b dropper"}},
		{"in order", []*events.Event{at(0, "a", 1, dropped), at(m, "b", 1, connection(443))}, []string{"b dropper", "b dropper-ordered"}},
		{"in order, but late", []*events.Event{at(m, "b", 1, connection(443)), at(0, "a", 1, dropped)}, []string{"a dropper", "a dropper-ordered"}},
		{"late by the whole timespan", []*events.Event{at(5*m, "b", 1, connection(443)), at(0, "a", 1, dropped)}, []string{"a dropper", "a dropper-ordered"}},
		{"late by more", []*events.Event{at(5*m+1, "b", 1, connection(443)), at(0, "a", 1, dropped)}, nil},
		{"the fifth is the oldest", append(series(4, m/10, 1, connection(22)), at(-m+3*m/10, "late", 1, connection(22))), []string{"late five-in-a-minute"}},
		{"too far apart", []*events.Event{at(0, "a", 1, dropped), at(6*m, "b", 1, connection(443))}, nil},
		{"on different sensors", []*events.Event{at(0, "a", 1, dropped), at(m, "b", 2, connection(443))}, nil},
		{"a clock ahead does not outdate the others", []*events.Event{
			at(0, "a", 1, dropped), at(1000*time.Hour, "x", 1, dropped), at(24*time.Hour, "b", 1, connection(443)),
		}, []string{"b dropper", "b dropper-ordered"}},
	}
	set := loadText(t, correlating)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := correlated(t, &Correlator{State: &MemoryState{}}, set, tt.events...)
			if !slices.Equal(got, tt.want) {
				t.Errorf("fired %v, want %v", got, tt.want)
			}
		})
	}
}

func series(n int, every time.Duration, sensor int, fill func(*events.Event)) []*events.Event {
	var evs []*events.Event
	for i := range n {
		evs = append(evs, at(time.Duration(i)*every, fmt.Sprintf("e%d", i), sensor, fill))
	}
	return evs
}

// The order in which events come must not decide whether a rule fires, as long
// as none is late by more than the timespan; and an event that comes again must
// be answered as it was.
func TestCorrelationDoesNotDependOnOrderOrRedelivery(t *testing.T) {
	set := loadText(t, correlating)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "events")
		var evs []*events.Event
		for i := range n {
			offset := time.Duration(rapid.IntRange(0, 60).Draw(t, "second")) * time.Second
			evs = append(evs, at(offset, fmt.Sprintf("e%d", i), 1, connection(22)))
		}
		shuffled := rapid.Permutation(evs).Draw(t, "order")
		c := &Correlator{State: &MemoryState{}}
		fired := 0
		for _, e := range shuffled {
			found, _ := set.Match(e)
			first, _, err := c.Correlate(context.Background(), set, found)
			if err != nil {
				t.Fatal(err)
			}
			again, _, _ := c.Correlate(context.Background(), set, found)
			if len(first) != len(again) {
				t.Fatalf("event %s fires %d rules, redelivered %d", e.Event.ID, len(first), len(again))
			}
			fired += len(first)
		}
		if want := min(1, n/5); fired != want {
			t.Fatalf("%d events within a minute fired %d times, want %d", n, fired, want)
		}
	})
}

// A batch whose jobs could not be recorded comes again as a whole, also when a
// process dies between two completions of one group: each event that fired fires
// again, with what it found, until it is settled, and then no more.
func TestCorrelationFiresAgainUntilSettled(t *testing.T) {
	t.Parallel()
	set := loadText(t, correlating)
	rapid.Check(t, func(t *rapid.T) {
		c := &Correlator{State: &MemoryState{Now: func() time.Time { return epoch }}}
		var evs []*events.Event
		for burst := range rapid.IntRange(1, 4).Draw(t, "bursts") {
			for i := range 5 {
				at := at(time.Duration(burst)*10*time.Minute+time.Duration(i)*time.Second, fmt.Sprintf("b%d-%d", burst, i), 1, connection(22))
				evs = append(evs, at)
			}
		}
		fired, settled := map[string]map[string]any{}, map[string]bool{}
		feed := func(e *events.Event) {
			found, _ := set.Match(e)
			matches, _, err := c.Correlate(t.Context(), set, found)
			if err != nil {
				t.Fatal(err)
			}
			before, known := fired[e.Event.ID]
			switch {
			case settled[e.Event.ID] && len(matches) > 0:
				t.Fatalf("%s fires after it is settled", e.Event.ID)
			case known && !settled[e.Event.ID] && len(matches) == 0:
				t.Fatalf("%s has fired, and does not again", e.Event.ID)
			case known && len(matches) > 0:
				if diff := cmp.Diff(before, matches[0].Correlated); diff != "" {
					t.Fatalf("%s found something else the second time:\n%s", e.Event.ID, diff)
				}
			}
			if len(matches) == 0 {
				return
			}
			fired[e.Event.ID] = matches[0].Correlated
			if rapid.Bool().Draw(t, "recorded") {
				if err := c.Settled(t.Context(), set, matches); err != nil {
					t.Fatal(err)
				}
				settled[e.Event.ID] = true
			}
		}
		for _, e := range evs {
			feed(e)
		}
		bursts := len(fired)
		for range 2 {
			for _, e := range rapid.Permutation(evs).Draw(t, "again") {
				feed(e)
			}
		}
		if bursts != len(evs)/5 || len(fired) != bursts {
			t.Fatalf("%d events fired, %d with the redelivered ones; want one for each of %d bursts", bursts, len(fired), len(evs)/5)
		}
	})
}

// A window that was written before it could remember more than one firing still
// answers the event that completed it.
func TestCorrelationReadsTheOldForm(t *testing.T) {
	t.Parallel()
	set := loadText(t, correlating)
	state := &MemoryState{Now: func() time.Time { return epoch }}
	old := `{"events":[{"id":"e4","at":"2026-03-01T08:00:40Z","rule":"five-in-a-minute","sensor":1}],"fired":"2026-03-01T08:00:40Z","by":"e4"}`
	r, _ := set.Rule("five-in-a-minute")
	evs := series(5, 10*time.Second, 1, connection(22))
	group, _, err := r.groupOf(evs[4], false)
	if err != nil {
		t.Fatal(err)
	}
	key := stateKey("correlate", append([]any{r.ID}, group...)...)
	if err := state.Update(t.Context(), shares.Record{Key: key}, time.Hour, func([]byte) ([]byte, error) { return []byte(old), nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := correlated(t, &Correlator{State: state}, set, evs...), []string{"e4 five-in-a-minute"}; !slices.Equal(got, want) {
		t.Errorf("fired %v, want %v", got, want)
	}
}

func TestCorrelatedIsWhatStepsAreTold(t *testing.T) {
	set := loadText(t, correlating)
	c := &Correlator{State: &MemoryState{}}
	var last []Match
	for i := range 3 {
		found, _ := set.Match(at(time.Duration(i)*time.Minute, fmt.Sprint(i), 10+i, started("aa")))
		last, _, _ = c.Correlate(context.Background(), set, found)
	}
	if len(last) != 1 {
		t.Fatalf("%d matches, want 1", len(last))
	}
	got := last[0].Correlated
	if got["count"] != 3 || !slices.Equal(got["sensors"].([]string), []string{"10", "11", "12"}) || got["first"] != epoch {
		t.Errorf("correlated = %v, want count 3 of sensors 10 to 12 since %v", got, epoch)
	}
	for _, f := range CorrelatedType.Fields {
		if _, ok := got[f.Name]; !ok {
			t.Errorf("correlated lacks %q, which rules may use", f.Name)
		}
	}
}

func TestWindowIsBounded(t *testing.T) {
	w := window{}
	c := &Correlate{Type: EventCount, Timespan: time.Hour, GTE: MaxEvents + 1}
	for i := range MaxEvents + 50 {
		w.add(c, observed{Event: fmt.Sprint(i), At: epoch.Add(time.Duration(i) * time.Millisecond)})
	}
	if len(w.Events) != MaxEvents {
		t.Errorf("window keeps %d events, want %d", len(w.Events), MaxEvents)
	}
	if got, want := w.Events[0].Event, "50"; got != want {
		t.Errorf("oldest kept is %s, want %s", got, want)
	}
}

// brokenState fails every time.
type brokenState struct{ err error }

func (b brokenState) Update(context.Context, shares.Record, time.Duration, func([]byte) ([]byte, error)) error {
	return b.err
}

func TestStateErrorIsNotNoMatch(t *testing.T) {
	set := loadText(t, correlating)
	down := errors.New("bus is down")
	found, _ := set.Match(at(0, "a", 1, connection(22)))
	_, _, err := (&Correlator{State: brokenState{down}}).Correlate(context.Background(), set, found)
	if !errors.Is(err, down) {
		t.Errorf("error = %v, want %v", err, down)
	}
}
