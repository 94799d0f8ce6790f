package rules

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"edrpipe/internal/workload"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// fleet is a server of endpoints 1 to n that counts requests.
type fleet struct {
	edr.Server
	n        int
	requests atomic.Int64
}

func (f *fleet) Name() string { return "edr01" }

func (f *fleet) Sensors(context.Context, edr.SensorQuery) ([]edr.Sensor, error) {
	f.requests.Add(1)
	all := make([]edr.Sensor, f.n)
	for i := range all {
		all[i] = edr.Sensor{ID: fmt.Sprint(i + 1), Hostname: fmt.Sprintf("WKS-%d", i+1), OS: edr.Windows, OSVersion: "Windows 10 Enterprise, 64-bit", Group: fmt.Sprintf("Group %d", i%200)}
	}
	return all, nil
}

func (f *fleet) Sensor(_ context.Context, id string) (edr.Sensor, error) {
	f.requests.Add(1)
	return edr.Sensor{}, fmt.Errorf("endpoint %s: %w", id, edr.ErrServer)
}

// directoryOf reads a fleet.
func directoryOf(tb testing.TB, f *fleet) *directory.Directory {
	tb.Helper()
	d := directory.New(directory.Config{Server: f})
	if err := d.Read(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return d
}

// asksForFacts is a rule that asks for a fact of the endpoint of every process that
// starts: each such event is a candidate, decoded and enriched.
var asksForFacts = workload.Rule{ID: "asks-for-facts", On: "process_start", When: `sensor.group == "Group 7" && process.name != "x"`}

// TestNoRequestForAnEvent: once the fleet is read, events are enriched without a request
// to the server.
func TestNoRequestForAnEvent(t *testing.T) {
	t.Parallel()
	f := &fleet{n: 100_000}
	d := directoryOf(t, f)
	m := NewMatcher(setOf(t, append(workload.Rules(100, 1), asksForFacts)), &events.Decoder{LazyRaw: true}, nil)
	enriched := 0
	m.Enrich = func(e *events.Event) {
		enriched++
		d.Fill(e)
	}
	messages, _ := stream(t)
	for range 2 {
		for i := range messages {
			m.Message(&messages[i])
		}
	}
	if n := f.requests.Load(); n != 1 || enriched == 0 {
		t.Errorf("%d requests for %d events, of which %d were enriched; want one, which reads the fleet", n, 2*len(messages), enriched)
	}
}

// BenchmarkEnrich is messages to matches by a thousand rules, with the facts of 100,000
// endpoints and without: as most rules are, and with one that asks for a fact of each
// process that starts. Both take turns at each chunk of the stream; "ratio" is the one by
// the other.
func BenchmarkEnrich(b *testing.B) {
	messages, _ := stream(b)
	d := directoryOf(b, &fleet{n: 100_000})
	made := workload.Rules(1000, 1)
	for name, made := range map[string][]workload.Rule{"rules=1000": made, "rules=1000+facts": append(made[:1000:1000], asksForFacts)} {
		bare, enriched := NewMatcher(setOf(b, made), &events.Decoder{LazyRaw: true}, nil), NewMatcher(setOf(b, made), &events.Decoder{LazyRaw: true}, nil)
		enriched.Enrich = func(e *events.Event) { d.Fill(e) }
		for i := range messages {
			bare.Message(&messages[i]) // learns its costs
			enriched.Message(&messages[i])
		}
		b.Run(name, func(b *testing.B) {
			var without, with fastest
			for done := 0; done < b.N || done < 32*benchEvents; done += benchEvents {
				without.pass(benchEvents, func(i int) { bare.Message(&messages[i]) })
				with.pass(benchEvents, func(i int) { enriched.Message(&messages[i]) })
			}
			b.ReportMetric(with.perEvent(), "best-ns")
			b.ReportMetric(with.perEvent()/without.perEvent(), "ratio")
		})
	}
}
