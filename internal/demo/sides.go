package demo

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// A Side is one server of the demo, for the table that compares them.
type Side struct {
	Server string // its name in the configuration
	Kind   string
	BansBy string // MD5, SHA-256
	Sim    *edrsim.Server
}

// sidesTable shows what was done at each server, one beside the other.
func sidesTable(sides []Side, results []jobs.ResultNotice) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder, t.Style().Options.SeparateColumns = false, false
	header, kinds := table.Row{"server"}, table.Row{"kind"}
	columns := make([][]string, len(sides))
	for i, s := range sides {
		header, kinds = append(header, s.Server), append(kinds, s.Kind)
		columns[i] = s.column(results)
	}
	t.AppendHeader(header)
	t.AppendRow(kinds)
	for i, name := range sideRows {
		row := table.Row{name}
		for _, column := range columns {
			row = append(row, column[i])
		}
		t.AppendRow(row)
	}
	return trimLines(t.Render()) + "\n"
}

// sideRows name what column returns.
var sideRows = []string{
	"jobs", "of them succeeded", "endpoints isolated", "hashes banned", "alerts noted, closed",
	"sessions opened", "sessions at a time, at most", "commands run", "requests to its API",
}

// column counts what the jobs of a server did, and what its simulator saw.
func (s Side) column(results []jobs.ResultNotice) []string {
	all, succeeded := 0, 0
	did := map[string]int{}
	for _, r := range results {
		if r.Server != s.Server {
			continue
		}
		all++
		if r.State == jobs.Succeeded {
			succeeded++
		}
		for _, step := range r.Steps {
			if step.State == jobs.StepOK {
				did[step.Uses]++
			}
		}
	}
	c := s.Sim.Counters()
	requests := int64(0)
	for _, n := range c.Requests {
		requests += n
	}
	banned := fmt.Sprint(did["ban_hash"])
	if did["ban_hash"] > 0 {
		banned += ", by " + s.BansBy
	}
	return []string{
		fmt.Sprint(all), fmt.Sprint(succeeded), fmt.Sprint(did["isolate"]), banned,
		strings.Join([]string{fmt.Sprint(did["note_alert"]), fmt.Sprint(did["close_alert"])}, ", "),
		fmt.Sprint(c.Sessions.Opened), fmt.Sprint(c.Sessions.Peak), fmt.Sprint(c.Commands), fmt.Sprint(requests),
	}
}
