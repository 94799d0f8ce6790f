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
	cmd := &cobra.Command{
		Use:     "stats",
		Example: `  pipeline events stats --since 24h --top 10`,
		Short:   "Count the events on the bus by type and by sensor",
		Long: `Count the events on the bus by type and by sensor, from those that arrived within
--since to now. With --watch it goes on counting and shows the table anew each
second.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := b.connect(cmd.Context(), commandLog(cmd))
			if err != nil {
				return err
			}
			defer conn.Close()
			s := newEventStats(top)
			out := cmd.OutOrStdout()
			live := liveTable{out: out, clear: isTerminal(out)}
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
			return s.print(out)
		},
	}
	b.register(cmd)
	w.register(cmd, 15*time.Minute)
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

func (s *eventStats) print(w io.Writer) error {
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
	return nil
}

// table prints the largest counts.
func (s *eventStats) table(w io.Writer, title string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	fmt.Fprintln(w)
	t := newTable(w, title, "EVENTS", "SHARE")
	rest := 0
	for i, k := range keys {
		if i >= s.top {
			rest += counts[k]
			continue
		}
		t.AppendRow(table.Row{printable.Line(k), counts[k], share(counts[k], s.events+s.rejected)})
	}
	if rest > 0 {
		t.AppendRow(table.Row{fmt.Sprintf("%d others", len(keys)-s.top), rest, share(rest, s.events+s.rejected)})
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
	if err := s.print(&page); err != nil {
		return err
	}
	if _, err := io.WriteString(unfiltered(l.out), "\x1b[H\x1b[2J"); err != nil {
		return err
	}
	_, err := l.out.Write(page.Bytes())
	return err
}
