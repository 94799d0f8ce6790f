package main

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
)

func newSensorsCommand() *cobra.Command {
	var f serverFlags
	var busy bool
	var limit, offset int
	cmd := &cobra.Command{
		Use:               "sensors [TEXT]",
		Example:           `  pipeline sensors windows`,
		Short:             "List sensors, those with jobs first; TEXT is part of a name, id or system",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			q := url.Values{"q": args, "limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
			if busy {
				q.Set("busy", "1")
			}
			var page web.SensorsPage
			if err := c.Get(cmd.Context(), "sensors", q, &page); err != nil {
				return err
			}
			for _, p := range page.Problems {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: its sensors are missing: "+printable.Line(p))
			}
			w := cmd.OutOrStdout()
			return f.print(w, page, func() {
				t := newTable(w, "endpoint", "~host", "state", "isolation", "~system", "checked in", "waiting", "~running")
				for _, s := range page.Sensors {
					t.AppendRow(table.Row{printable.Line(edr.Endpoint{Server: s.Server, ID: s.ID}.String()), printable.Line(s.Hostname), s.Status, s.Isolation, printable.Line(s.OSVersion), clock(s.LastCheckin), s.Queue, s.Running})
				}
				t.Render()
				if shown := offset + len(page.Sensors); shown < page.Total {
					fmt.Fprintf(w, "%d of %d; see others with --offset %d\n", len(page.Sensors), page.Total, shown)
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&busy, "busy", false, "only those with jobs")
	cmd.Flags().IntVar(&limit, "limit", 200, fmt.Sprintf("how many, %d at the most", web.MaxList))
	cmd.Flags().IntVar(&offset, "offset", 0, "how many to leave out")
	return f.register(cmd)
}
