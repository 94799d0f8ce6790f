package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
)

func newWhyCommand() *cobra.Command {
	var f serverFlags
	var filter eventFilter
	cmd := &cobra.Command{
		Use:   "why [HOST|EVENT|JOB|sensor:ID]",
		Short: "Explain what became of the events of a host or a process, of an event, a job or a sensor",
		Long: `Explains what became of the last events of a host, of one event, a job or a sensor:
which rules matched or which clause was false, which decision was taken, what a job
waits for, how it ended.`,
		Example:           "  pipeline why WS-ANN\n  pipeline why WS-ANN --process powershell --since 03:00 --until 03:30\n  pipeline why --process mimikatz.exe --since 24h\n  pipeline why sensor:42",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: f.completeJobs("live", "ended"),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			q := filter.query()
			if len(args) > 0 {
				q.Set("about", args[0])
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
	filter.register(cmd.Flags(), "only events")
	return f.register(cmd)
}
