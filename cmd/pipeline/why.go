package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
)

func newWhyCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:               "why EVENT|JOB|sensor:ID",
		Short:             "Tell what became of an event, a job or a sensor, and why",
		Example:           "  pipeline why sensor:42",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeJobs("live", "ended"),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			var answer web.Why
			if err := c.Get(cmd.Context(), "why", url.Values{"about": args}, &answer); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, answer, func() {
				for _, l := range answer.Lines {
					fmt.Fprintf(w, "%-19s  %-14s %s\n", clock(l.At), printable(l.What), printable(l.Text))
				}
				if len(answer.Lines) == 0 {
					fmt.Fprintln(w, "nothing is known of that")
				}
			})
		}),
	}
	return f.register(cmd)
}
