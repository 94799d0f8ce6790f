package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
)

func newEventsStatsCommand() *cobra.Command {
	var b busFlags
	var w eventWatch
	var watch bool
	var top int
	var form outputFlag
	cmd := &cobra.Command{
		Use: "stats",
		Example: `  pipeline events stats --since 24h --top 10
  pipeline events stats --since 1h -o json`,
		Short: "Count the events on the bus by type and by sensor",
		Long: `Count the events on the bus by type and by sensor, from those that arrived within
--since to now. With --watch it goes on counting and redraws the table each
second.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := form.check(); err != nil {
				return err
			}
			conn, err := b.connect(cmd.Context(), commandLog(cmd))
			if err != nil {
				return err
			}
			defer conn.Close()
			s := newEventStats(top)
			out := cmd.OutOrStdout()
			live := liveTable{out: out, clear: isTerminal(out) && form.output == "table"}
			err = w.watch(cmd.Context(), conn, func(m events.Message) error {
				s.count(&m)
				if watch {
					return live.show(s)
				}
				return nil
			}, func() error {
				if watch {
					return nil
				}
				return errEnough
			})
			if err != nil && !errors.Is(err, errEnough) {
				return err
			}
			return form.print(out, s.summary(), func() { s.print(out) })
		},
	}
	b.register(cmd)
	w.register(cmd, 15*time.Minute)
	form.register(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on counting until interrupted")
	cmd.Flags().IntVar(&top, "top", 20, "rows of each table")
	return cmd
}

// maxCounted bounds how many types or sensors are told apart: event text is not
// ours to trust.
const maxCounted = 100_000

// eventStats counts events.
type eventStats struct {
	top       int
	events    int
	rejected  int
	types     map[string]int
	sensors   map[string]int
	decoder   events.Decoder
	first     time.Time
	last      time.Time
	malformed map[string]int // by reason
}

func newEventStats(top int) *eventStats {
	return &eventStats{top: top, types: map[string]int{}, sensors: map[string]int{}, malformed: map[string]int{}, decoder: events.Decoder{LazyRaw: true}}
}

func (s *eventStats) count(m *events.Message) {
	if s.first.IsZero() {
		s.first = m.Received
	}
	s.last = m.Received
	for e, err := range s.decoder.Events(m) {
		var reject *events.Reject
		if errors.As(err, &reject) {
			s.rejected++
			s.malformed[string(reject.Reason)]++
			continue
		}
		s.events++
		add(s.types, e.Event.Type)
		sensor := e.Sensor.Hostname
		if e.Sensor.ID != "" {
			sensor = e.Sensor.ID + " " + sensor
		}
		add(s.sensors, cmp.Or(sensor, "(none)"))
	}
}

func add(counts map[string]int, key string) {
	if _, known := counts[key]; !known && len(counts) >= maxCounted {
		key = "(others)"
	}
	counts[key]++
}

// statsSummary is what the statistics are for programs.
type statsSummary struct {
	Events      int         `json:"events"`
	First       time.Time   `json:"first,omitzero"`
	Last        time.Time   `json:"last,omitzero"`
	Types       []statsLine `json:"types"`
	Sensors     []statsLine `json:"sensors"`
	NotAnEvent  []statsLine `json:"not_an_event"` // by reason
	NotAnEvents int         `json:"not_an_event_total"`
}

// statsLine is one row: an empty name counts the rows that are left out.
type statsLine struct {
	Name   string `json:"name"`
	Others int    `json:"others,omitempty"` // how many names are counted together
	Count  int    `json:"count"`
}

func (s *eventStats) summary() statsSummary {
	return statsSummary{
		Events: s.events, First: s.first, Last: s.last, NotAnEvents: s.rejected,
		Types: s.largest(s.types), Sensors: s.largest(s.sensors), NotAnEvent: s.largest(s.malformed),
	}
}

// largest returns the largest counts, and the others together.
func (s *eventStats) largest(counts map[string]int) []statsLine {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	lines := []statsLine{}
	others := statsLine{Others: len(keys) - s.top}
	for i, k := range keys {
		if i < s.top {
			lines = append(lines, statsLine{Name: k, Count: counts[k]})
			continue
		}
		others.Count += counts[k]
	}
	if others.Others > 0 {
		lines = append(lines, others)
	}
	return lines
}

func (s *eventStats) print(w io.Writer) {
	span := s.last.Sub(s.first)
	fmt.Fprintf(w, "%d events in %v", s.events, span.Round(time.Second))
	if span > 0 {
		fmt.Fprintf(w, ", %.1f a second", float64(s.events)/span.Seconds())
	}
	fmt.Fprintln(w)
	s.table(w, "TYPE", s.types)
	s.table(w, "SENSOR", s.sensors)
	if s.rejected > 0 {
		s.table(w, "NOT AN EVENT", s.malformed)
	}
}

// table prints the largest counts.
func (s *eventStats) table(w io.Writer, title string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, title, "EVENTS", "SHARE")
	for _, l := range s.largest(counts) {
		name := printable.Line(l.Name)
		if l.Others > 0 {
			name = counted(l.Others, "other")
		}
		t.AppendRow(table.Row{name, l.Count, share(l.Count, s.events+s.rejected)})
	}
	t.Render()
}

func share(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(of, 1))) }

// liveTable shows statistics again and again: in place on a terminal.
type liveTable struct {
	out   io.Writer
	clear bool
	last  time.Time
}

func (l *liveTable) show(s *eventStats) error {
	if !l.clear || time.Since(l.last) < time.Second {
		return nil
	}
	l.last = time.Now()
	var page bytes.Buffer
	s.print(&page)
	if _, err := io.WriteString(unfiltered(l.out), "\x1b[H\x1b[2J"); err != nil {
		return err
	}
	_, err := l.out.Write(page.Bytes())
	return err
}
