package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
)

func newEventsListCommand() *cobra.Command {
	var f serverFlags
	var host, process string
	var since time.Duration
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the last events of a running service, newest first, with what became of each",
		Example: "  pipeline events list --host WS-ANN --since 6h",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			q := url.Values{"host": {host}, "process": {process}, "limit": {strconv.Itoa(limit)}, "since": {time.Now().Add(-since).Format(time.RFC3339)}}
			var page web.EventsPage
			if err := c.Get(cmd.Context(), "events", q, &page); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, page, func() {
				if len(page.Events) == 0 {
					fmt.Fprintf(w, "no event fits; %s arrived since %s\n", counted(page.Read, "event"), clock(page.Since))
					return
				}
				t := newTable(w, "when", "event", "~host", "=what", "=became of it")
				for _, e := range page.Events {
					t.AppendRow([]any{clock(cmp.Or(e.Time, e.Received)), e.ID, printable.Line(e.Host), printable.Line(e.Story), printable.Line(e.Verdict)})
				}
				t.Render()
			})
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&host, "host", "", "of this host; case and domain do not count")
	fl.StringVar(&process, "process", "", "whose process has this in its path, name or command line")
	fl.DurationVar(&since, "since", time.Hour, "how far back")
	fl.IntVar(&limit, "limit", 50, fmt.Sprintf("how many, %d at the most", web.MaxList))
	return f.register(cmd)
}
