package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
)

func newWhyCommand() *cobra.Command {
	var f serverFlags
	var process string
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "why HOST|EVENT|JOB|sensor:ID",
		Short: "Explain what became of a host's events, of an event, a job or a sensor, and why",
		Long: `Explains what became of the last events of a host, of one event, a job or a sensor:
which rules matched or which clause was false, which decision was taken, what a job
waits for, how it ended.`,
		Example:           "  pipeline why WS-ANN\n  pipeline why WS-ANN --process powershell --since 12h\n  pipeline why sensor:42",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeJobs("live", "ended"),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			q := url.Values{"about": args, "process": {process}, "limit": {"50"}}
			if since > 0 {
				q.Set("since", time.Now().Add(-since).Format(time.RFC3339))
			}
			var answer web.Why
			if err := c.Get(cmd.Context(), "why", q, &answer); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, answer, func() {
				t := newTable(w, "when", "what", "=why")
				for _, l := range answer.Lines {
					t.AppendRow([]any{clock(l.At), printable.Line(l.What), printable.Line(l.Text)})
				}
				if len(answer.Lines) == 0 {
					fmt.Fprintln(w, "nothing is known of that")
					return
				}
				t.Render()
			})
		}),
	}
	cmd.Flags().StringVar(&process, "process", "", "of a host's events, those whose process has this in its path, name or command line")
	cmd.Flags().DurationVar(&since, "since", 0, "how far back a host's events are looked for (default 1h)")
	return f.register(cmd)
}
