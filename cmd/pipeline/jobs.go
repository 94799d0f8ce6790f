package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

func newJobsCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List, follow, submit and change jobs of a running service",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newJobsListCommand(&f), newJobsShowCommand(&f), newJobsWatchCommand(&f), newJobsSubmitCommand(&f))
	cmd.AddCommand(newJobsChangeCommands(&f)...)
	return f.register(cmd)
}

func newJobsListCommand(f *serverFlags) *cobra.Command {
	var state, rule string
	var sensor, limit int
	var since time.Duration
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List jobs, newest first: the live ones and those that ended within a day",
		Example: "  pipeline jobs list --state parked\n  pipeline jobs list --rule watchlist-isolate --since 72h -o json",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			q := url.Values{"state": {state}, "rule": {rule}, "limit": {strconv.Itoa(limit)}}
			if sensor != 0 {
				q.Set("sensor", strconv.Itoa(sensor))
			}
			if since > 0 {
				q.Set("since", time.Now().Add(-since).Format(time.RFC3339))
			}
			found := []web.JobLine{}
			if err := c.Get(cmd.Context(), "jobs", q, &found); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			note, err := "", error(nil)
			if len(found) == 0 && f.output == "table" {
				note, err = whyNoJobs(cmd.Context(), c, state, rule, sensor, since)
			}
			if err != nil {
				return err
			}
			return f.print(w, found, func() {
				if note != "" {
					fmt.Fprintln(w, note)
					return
				}
				t := newTable(w, "job", "state", "~rule", "~sensor", "steps", "created", "=why")
				for _, j := range found {
					t.AppendRow(table.Row{j.ID, colored(w, j.State), firstOf(j.Rule, "by "+j.By), sensorName(j), fmt.Sprintf("%d/%d", j.Done, j.Steps), clock(j.Created), why(j)})
				}
				t.Render()
			})
		}),
	}
	cmd.Flags().StringVar(&state, "state", "", "live, ended, or one state")
	cmd.Flags().StringVar(&rule, "rule", "", "only of this rule")
	cmd.Flags().IntVar(&sensor, "sensor", 0, "only on this sensor")
	cmd.Flags().IntVar(&limit, "limit", 200, fmt.Sprintf("how many, %d at the most", web.MaxList))
	cmd.Flags().DurationVar(&since, "since", 0, "also those that ended within this time")
	states := []string{"live", "ended", "held", "queued", "parked", "running", "succeeded", "shadowed", "skipped", "failed", "cancelled", "expired", "denied", "unknown"}
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp)) // these two fail only
	_ = cmd.RegisterFlagCompletionFunc("rule", f.completeRules)                                                     // for flags that are not there
	return cmd
}

// whyNoJobs says why a list of jobs is empty: nothing fits the filter, nothing has
// arrived yet, or no rule matched.
func whyNoJobs(ctx context.Context, c *apiclient.Client, state, rule string, sensor int, since time.Duration) (string, error) {
	if state != "" || rule != "" || sensor != 0 || since > 0 {
		return "no job fits the filter; `pipeline jobs list` lists all of the last day", nil
	}
	var o web.Overview
	if err := c.Get(ctx, "overview", nil, &o); err != nil {
		return "", err
	}
	arrived := 0.0
	for _, n := range o.History.Events {
		arrived += n
	}
	if arrived == 0 && o.EventRate == 0 {
		return "no jobs yet: no event has arrived since the service started. An event that was just sent takes a second; `pipeline health` shows what does not work", nil
	}
	return "no jobs yet: events have arrived, and no rule has matched one. `pipeline why HOST` shows what became of a host's events", nil
}

func newJobsShowCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "show JOB",
		Short:             "Show a job with its steps, their output, and what it waits for",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeJobs("live", "ended"),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			var p web.JobPage
			if err := c.Get(cmd.Context(), "jobs/"+url.PathEscape(args[0]), nil, &p); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, p, func() { showJob(w, p) })
		}),
	}
}

func showJob(w io.Writer, p web.JobPage) {
	fmt.Fprintf(w, "job %s, %s on %s: %s\n", p.ID, firstOf(p.Rule, "by "+p.By), sensorName(p.JobLine), colored(w, p.State))
	if p.Why != "" {
		fmt.Fprintln(w, printable(p.Why))
	}
	t := newTable(w, "~step", "uses", "state", "took", "=what")
	for _, s := range p.Job.Done {
		took := ""
		if !s.Ended.IsZero() {
			took = s.Ended.Sub(s.Started).Round(time.Millisecond).String()
		}
		t.AppendRow(table.Row{s.ID, s.Uses, colored(w, s.State), took, shorten(printable(whatOf(s)), 400)})
	}
	t.Render()
	for _, a := range p.Artifacts {
		fmt.Fprintf(w, "artifact %s: %s, %d bytes; get it with `pipeline artifacts get %s`\n", a.ID, printable(a.Path), a.Size, a.ID)
	}
}

// whatOf tells of a step what came of it; of one that shadow mode kept from
// acting, with what it would have acted.
func whatOf(s jobs.StepRecord) string {
	if s.State == jobs.StepSkipped && s.Reason != "" {
		args, err := json.Marshal(s.Args)
		if err != nil || len(s.Args) == 0 {
			args = nil
		}
		return strings.TrimSpace(fmt.Sprintf("%s: %s %s", s.Reason, s.Error, args))
	}
	return firstOf(s.Error, string(s.Output))
}

func sensorName(j web.JobLine) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", j.Sensor, printable(j.Host)))
}

func why(j web.JobLine) string {
	return printable(strings.TrimPrefix(strings.TrimSuffix(string(j.Reason)+": "+j.Detail, ": "), ": "))
}

// colors of states, on terminals whose owner has not set NO_COLOR.
var colors = map[string]text.Color{
	"succeeded": text.FgGreen, "ok": text.FgGreen, "running": text.FgCyan, "held": text.FgYellow, "parked": text.FgYellow, "queued": text.FgYellow,
	"shadowed": text.FgMagenta, "skipped": text.FgHiBlack, "failed": text.FgRed, "unknown": text.FgRed, "denied": text.FgRed, "expired": text.FgRed,
}

func colored[S jobs.State | jobs.StepState](w io.Writer, s S) string {
	c, ok := colors[string(s)]
	if !ok || !isTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return string(s)
	}
	return c.EscapeSeq() + string(s) + text.EscapeReset
}
