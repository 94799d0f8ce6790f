package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
)

// eventFilter is what the flags of `events list` and `why` select.
type eventFilter struct {
	host, process, text string
	verdict             string
	since, until        moment
	limit               int
}

// register adds the flags that both have.
func (e *eventFilter) register(fl *pflag.FlagSet, whose string) {
	e.since.now, e.until.now = time.Now, time.Now
	fl.StringVar(&e.process, "process", "", whose+" whose process has this in its path, name or command line")
	fl.Var(&e.since, "since", "how far back: 6h, 03:10 or 2026-01-31 03:10 (default 1h)")
	fl.Var(&e.until, "until", "leave out what happened later: as --since")
	fl.IntVar(&e.limit, "limit", 50, fmt.Sprintf("how many, %d at the most", web.MaxList))
}

func (e *eventFilter) query() url.Values {
	q := url.Values{"host": {e.host}, "process": {e.process}, "text": {e.text}, "verdict": {e.verdict}, "limit": {strconv.Itoa(e.limit)}}
	setMoments(q, e.since, e.until)
	return q
}

func newEventsListCommand() *cobra.Command {
	var f serverFlags
	var filter eventFilter
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the last events of a running service, newest first, with what became of each",
		Example: "  pipeline events list --host WS-ANN --process powershell --since 8h\n  pipeline events list --host WS-ANN --since 03:00 --until 03:30",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			var page web.EventsPage
			if err := c.Get(cmd.Context(), "events", filter.query(), &page); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, page, func() { listEvents(w, page) })
		}),
	}
	filter.register(cmd.Flags(), "only events")
	cmd.Flags().StringVar(&filter.host, "host", "", "of this host; case and domain do not count")
	cmd.Flags().StringVar(&filter.verdict, "verdict", "", "job, no_job, no_match, other_server or failed")
	cmd.Flags().StringVar(&filter.text, "text", "", "with this in what the list shows")
	return f.register(cmd)
}

func listEvents(w io.Writer, page web.EventsPage) {
	if len(page.Events) == 0 {
		fmt.Fprintf(w, "no event fits; %s arrived since %s\n", counted(page.Read, "event"), clock(page.Since))
	} else {
		t := newTable(w, "when", "event", "~host", "=what", "=became of it")
		for _, e := range page.Events {
			t.AppendRow([]any{clock(cmp.Or(e.Time, e.Received)), e.ID, printable.Line(e.Host), printable.Line(e.Story), printable.Line(e.Verdict)})
		}
		t.Render()
	}
	if !page.Whole {
		fmt.Fprintln(w, "not all events of that time could be read: ask for less time")
	}
}

func newEventsShowCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:     "show EVENT",
		Example: `  pipeline events show 3f2a91c4`,
		Short:   "Show an event, what each rule for it says, and what came of it",
		Args:    cobra.ExactArgs(1),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			var page web.EventPage
			if err := c.Get(cmd.Context(), "events/"+url.PathEscape(args[0]), nil, &page); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, page, func() { showEvent(w, page) })
		}),
	}
	return f.register(cmd)
}

func showEvent(w io.Writer, p web.EventPage) {
	fmt.Fprintln(w, printable.Line(p.Story))
	fmt.Fprintf(w, "event %s, %s on %s at %s: %s\n", printable.Line(p.ID), printable.Line(p.Type), printable.Line(cmp.Or(p.Host, "an unknown host")),
		cmp.Or(clock(p.Time), "an unknown time"), printable.Line(p.Verdict))
	if p.FromJob {
		fmt.Fprintln(w, "the bus no longer has it; this is from the record of a job")
	}
	for _, j := range p.Jobs {
		fmt.Fprintf(w, "job %s of rule %s: %s\n", printable.Line(j.ID), printable.Line(j.Rule), colored(w, j.State))
	}
	for _, d := range p.Decisions {
		fmt.Fprintf(w, "no job of rule %s on sensor %s: %s: %s\n", printable.Line(d.Rule), printable.Line(string(d.Sensor)), printable.Line(d.Reason), printable.Line(d.Detail))
	}
	if len(p.Rules) == 0 {
		fmt.Fprintf(w, "no rule is for %s\n", printable.Line(p.Type))
		return
	}
	t := newTable(w, "~rule", "verdict", "=because")
	for _, r := range p.Rules {
		t.AppendRow([]any{r.ID, r.Verdict, printable.Line(strings.Join(r.Reasons, "; "))})
	}
	t.Render()
}
