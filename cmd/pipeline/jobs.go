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
	"github.com/spf13/pflag"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
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

// jobFilter is what the flags of `jobs list` select.
type jobFilter struct {
	state, rule, host, server, tenant, action, text, sort, sensor string
	limit, offset                                                 int
	since, until                                                  moment
}

func (j *jobFilter) register(fl *pflag.FlagSet) {
	j.since.now, j.until.now = time.Now, time.Now
	fl.StringVar(&j.state, "state", "", "live, ended, or one state")
	fl.StringVar(&j.rule, "rule", "", "only of this rule")
	fl.StringVar(&j.host, "host", "", "only on hosts with this in their name")
	fl.StringVar(&j.server, "server", "", "only of this EDR server")
	fl.StringVar(&j.tenant, "tenant", "", "only of EDR servers of this tenant")
	fl.StringVar(&j.action, "action", "", "only with a step that uses this action")
	fl.StringVar(&j.text, "text", "", "only with all these words in what the list shows")
	fl.StringVar(&j.sort, "sort", "", "created, updated, state, rule or host; with - before it the other direction (default -created)")
	fl.StringVar(&j.sensor, "sensor", "", "only on this endpoint: hq/42, or an id or host name that only one has")
	fl.IntVar(&j.limit, "limit", 200, fmt.Sprintf("how many, %d at the most", web.MaxList))
	fl.IntVar(&j.offset, "offset", 0, "how many to leave out")
	fl.Var(&j.since, "since", "leave out what ended before: 6h, 03:10 or 2026-01-31 03:10 (default 24h)")
	fl.Var(&j.until, "until", "leave out what was made later: as --since")
}

// query is the filter as the API takes it.
func (j *jobFilter) query() url.Values {
	q := url.Values{"state": {j.state}, "rule": {j.rule}, "host": {j.host}, "server": {j.server}, "tenant": {j.tenant}, "action": {j.action}, "text": {j.text}, "sort": {j.sort}, "limit": {strconv.Itoa(j.limit)}, "offset": {strconv.Itoa(j.offset)}}
	if j.sensor != "" {
		q.Set("sensor", j.sensor)
	}
	setMoments(q, j.since, j.until)
	return q
}

// narrow reports whether the filter leaves anything out.
func (j *jobFilter) narrow() bool {
	return j.state+j.rule+j.host+j.server+j.tenant+j.action+j.text+j.sensor+j.since.String()+j.until.String() != "" || j.offset > 0
}

func newJobsListCommand(f *serverFlags) *cobra.Command {
	var filter jobFilter
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List jobs, newest first: the live ones and those that ended within a day",
		Example: "  pipeline jobs list --state parked\n  pipeline jobs list --since 03:00 --until 03:30\n  pipeline jobs list --host WS-ANN --text powershell --since 72h -o json",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			page := web.JobsPage{Jobs: []web.JobLine{}}
			if err := c.Get(cmd.Context(), "jobs", filter.query(), &page); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if len(page.Jobs) == 0 && f.output == "table" {
				note, err := whyNoJobs(cmd.Context(), c, filter)
				if err == nil {
					fmt.Fprintln(w, note)
				}
				return err
			}
			return f.print(w, page.Jobs, func() { listJobs(w, page, filter.offset) })
		}),
	}
	filter.register(cmd.Flags())
	words := []string{"live", "ended"}
	for _, s := range append(jobs.LiveStates(), jobs.EndedStates()...) {
		words = append(words, string(s))
	}
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // these two fail only
	_ = cmd.RegisterFlagCompletionFunc("rule", f.completeRules)                                                    // for flags that are not there
	return cmd
}

func listJobs(w io.Writer, page web.JobsPage, offset int) {
	t := newTable(w, "job", "state", "~rule", "~sensor", "steps", "created", "=why")
	for _, j := range page.Jobs {
		t.AppendRow(table.Row{j.ID, colored(w, j.State), firstOf(j.Rule, "by "+j.By), endpointName(j), fmt.Sprintf("%d/%d", j.Done, j.Steps), clock(j.Created), why(j)})
	}
	t.Render()
	if shown := offset + len(page.Jobs); shown < page.Total {
		fmt.Fprintf(w, "%d of %d%s; see others with --offset %d\n", len(page.Jobs), page.Total, map[bool]string{true: " or more"}[page.More], shown)
	}
}

// whyNoJobs says why a list of jobs is empty: nothing fits the filter, nothing has
// arrived yet, no rule matched, or what matched made no job, such as by a guard.
func whyNoJobs(ctx context.Context, c *apiclient.Client, filter jobFilter) (string, error) {
	if filter.narrow() {
		return "no job fits the filter; `pipeline jobs list` lists all of the last day", nil
	}
	var declined []web.Declined
	if err := c.Get(ctx, "decisions", nil, &declined); err != nil {
		return "", err
	}
	if len(declined) > 0 {
		return declinedText(declined), nil
	}
	var o web.Overview
	if err := c.Get(ctx, "overview", nil, &o); err != nil {
		return "", err
	}
	if o.History.Step == 0 { // of all servers, which a user of a tenant is not shown
		return "no jobs yet. `pipeline why HOST` shows what became of a host's events", nil
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

// declinedText names why matches made no job, the most frequent reasons first.
func declinedText(all []web.Declined) string {
	const shown = 5
	matches := 0
	for _, d := range all {
		matches += d.Matches
	}
	times := "once"
	if matches > 1 {
		times = fmt.Sprintf("%d times", matches)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "no jobs yet: rules matched %s within a day, and no match made a job:\n", times)
	for _, d := range all[:min(shown, len(all))] {
		fmt.Fprintf(&text, "  %d of rule %s: %s\n", d.Matches, printable.Line(d.Last.Rule), printable.Line(reasonText(d.Last)))
	}
	if more := len(all) - shown; more > 0 {
		fmt.Fprintf(&text, "  and for %s\n", counted(more, "further reason"))
	}
	return text.String() + "`pipeline why HOST` shows what became of a host's events"
}

// reasonText is the reason of a decision with its detail and its endpoint.
func reasonText(d web.Decision) string {
	text := d.Reason
	if d.Detail != "" {
		text += ", " + d.Detail
	}
	if d.Host != "" {
		text += ", the last one on " + d.Host
	}
	return text
}

func newJobsShowCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "show JOB",
		Example:           `  pipeline jobs show 8f3a21c0`,
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
	if p.Story != "" {
		fmt.Fprintln(w, printable.Line(p.Story))
	}
	fmt.Fprintf(w, "job %s, %s on %s: %s\n", printable.Line(p.ID), printable.Line(firstOf(p.Rule, "by "+p.By)), endpointName(p.JobLine), colored(w, p.State))
	if p.Why != "" {
		fmt.Fprintln(w, printable.Line(p.Why))
		printAsks(w, p.Asks)
	}
	t := newTable(w, "~step", "uses", "state", "took", "=what")
	for _, s := range p.Job.Done {
		took := ""
		if !s.Ended.IsZero() {
			took = s.Ended.Sub(s.Started).Round(time.Millisecond).String()
		}
		t.AppendRow(table.Row{s.ID, s.Uses, colored(w, s.State), took, shorten(printable.Line(whatOf(s)), 400)})
	}
	t.Render()
	for _, a := range p.Artifacts {
		fmt.Fprintf(w, "artifact %s: %s, %d bytes; get it with `pipeline artifacts get %s`\n", printable.Line(a.ID), printable.Line(a.Path), a.Size, printable.Line(a.ID))
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

// endpointName is the endpoint, as commands take it, and its host name.
func endpointName(j web.JobLine) string {
	at := edr.Endpoint{Server: j.Server, ID: string(j.Sensor)}
	return strings.TrimSpace(printable.Line(at.String()) + " " + printable.Line(j.Host))
}

func why(j web.JobLine) string {
	return printable.Line(strings.TrimPrefix(strings.TrimSuffix(string(j.Reason)+": "+j.Detail, ": "), ": "))
}

// colors of states, on terminals whose owner has not set NO_COLOR.
var colors = map[string]text.Color{
	"succeeded": text.FgGreen, "ok": text.FgGreen, "running": text.FgCyan, "held": text.FgYellow, "parked": text.FgYellow, "queued": text.FgYellow,
	"shadowed": text.FgMagenta, "skipped": text.FgHiBlack, "failed": text.FgRed, "unknown": text.FgRed, "denied": text.FgRed, "expired": text.FgRed,
}

func colored[S jobs.State | jobs.StepState](w io.Writer, s S) painted {
	c, ok := colors[string(s)]
	if !ok || !isTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return painted(printable.Line(string(s)))
	}
	return painted(c.EscapeSeq() + string(s) + text.EscapeReset)
}
