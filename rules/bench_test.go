package rules

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"edrpipe/internal/workload"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

var sizes = []int{10, 100, 1000, 10000}

const benchEvents = 4096

// setOf compiles generated rules.
func setOf(tb testing.TB, made []workload.Rule) *Set {
	tb.Helper()
	scope := expression.EventScope()
	var compiled []*Compiled
	for _, r := range made {
		p, err := scope.Condition(r.When)
		if err != nil {
			tb.Fatalf("%s: %v", r.When, err)
		}
		compiled = append(compiled, &Compiled{Rule: &Rule{ID: r.ID, On: []string{r.On}, When: r.When, Enabled: true}, When: p})
	}
	return NewSet(compiled)
}

// stream is the generated events, as messages and decoded.
func stream(tb testing.TB) ([]events.Message, []*events.Event) {
	tb.Helper()
	var messages []events.Message
	var decoded []*events.Event
	d := &events.Decoder{LazyRaw: true}
	for _, line := range workload.JSON(benchEvents, 7) {
		m := events.Message{Body: line, ContentType: "application/json", Received: time.Unix(1725526400, 0)}
		es, rejects := d.Decode(&m)
		if len(es) != 1 || len(rejects) > 0 {
			tb.Fatalf("%s: %d events, rejects %v", line, len(es), rejects)
		}
		messages, decoded = append(messages, m), append(decoded, es[0])
	}
	return messages, decoded
}

// perDecode reports how long the benchmark takes in units of D: encoding/json
// decoding the same stream's messages into a map, measured in the same run; the
// fastest of several passes, so that other work on the machine makes the ratio
// worse, never better.
func perDecode(b *testing.B, messages []events.Message) {
	b.Helper()
	b.StopTimer()
	mean := b.Elapsed() / time.Duration(b.N)
	best := time.Hour
	for range 5 {
		start := time.Now()
		for i := range messages {
			var m map[string]any
			if err := json.Unmarshal(messages[i].Body, &m); err != nil {
				b.Fatal(err)
			}
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(mean)/(float64(best)/float64(len(messages))), "D")
}

func BenchmarkDecode(b *testing.B) {
	messages, _ := stream(b)
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			var m map[string]any
			if err := json.Unmarshal(messages[i%benchEvents].Body, &m); err != nil {
				b.Fatal(err)
			}
		}
		perDecode(b, messages)
	})
	b.Run("event", func(b *testing.B) {
		d := &events.Decoder{LazyRaw: true}
		b.ReportAllocs()
		for i := range b.N {
			d.Decode(&messages[i%benchEvents])
		}
		perDecode(b, messages)
	})
}

func BenchmarkMatchLoop(b *testing.B) {
	messages, decoded := stream(b)
	for _, n := range sizes {
		set := setOf(b, workload.Rules(n, 1))
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			for i := range b.N {
				set.MatchLoop(decoded[i%benchEvents])
			}
			perDecode(b, messages)
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	messages, decoded := stream(b)
	for _, n := range sizes {
		set := setOf(b, workload.Rules(n, 1))
		for _, e := range decoded {
			set.Match(e) // learns its costs
		}
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			candidates, matches := set.Counters().Candidates.Load(), set.Counters().Matches.Load()
			for i := range b.N {
				set.Match(decoded[i%benchEvents])
			}
			b.ReportMetric(float64(set.Counters().Candidates.Load()-candidates)/float64(b.N), "candidates/op")
			b.ReportMetric(float64(set.Counters().Matches.Load()-matches)/float64(b.N), "matches/op")
			perDecode(b, messages)
		})
	}
}

func BenchmarkPipeline(b *testing.B) {
	messages, _ := stream(b)
	for _, n := range sizes {
		m := NewMatcher(setOf(b, workload.Rules(n, 1)), &events.Decoder{LazyRaw: true})
		for i := range messages {
			m.Message(&messages[i])
		}
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				m.Message(&messages[i%benchEvents])
			}
			perDecode(b, messages)
		})
	}
}

// BenchmarkProtobuf is single sensor events as the bus carries them: with rules
// for kinds that none of them has, and with a thousand rules for all kinds.
func BenchmarkProtobuf(b *testing.B) {
	var messages []events.Message
	for _, body := range workload.Protobuf(benchEvents, 9) {
		messages = append(messages, events.Message{Body: body, ContentType: "application/protobuf", Exchange: "api.events", Received: time.Unix(1725526400, 0)})
	}
	alerts := []workload.Rule{{ID: "alert", On: "alert", When: "alert.severity > 50"}}
	for _, c := range []struct {
		name  string
		rules []workload.Rule
	}{{"kinds=unnamed", alerts}, {"rules=1000", workload.Rules(1000, 1)}} {
		m := NewMatcher(setOf(b, c.rules), &events.Decoder{LazyRaw: true})
		for i := range messages {
			if found := m.Message(&messages[i]); len(found.Rejects) > 0 {
				b.Fatal(found.Rejects[0])
			}
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				m.Message(&messages[i%benchEvents])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
