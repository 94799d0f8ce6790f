package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
)

func newRulesResetCommand() *cobra.Command {
	var f serverFlags
	var why string
	cmd := &cobra.Command{
		Use:     "reset RULE",
		Example: `  pipeline rules reset kill-office-shell --why 'the cause is mended'`,
		Short:   "Close the breaker of a rule of the running service: it acts again",
		Long: `Closes the breaker of a rule on all replicas. What was counted until now does not open
it again. Who reset it and why is in the audit log. pipeline health names open breakers.`,
		Args: cobra.ExactArgs(1),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			if err := c.Post(cmd.Context(), "rules/"+url.PathEscape(args[0])+"/reset", web.Reason{Why: why}, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "rule %s acts again\n", args[0])
			return nil
		}),
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, kept in the audit log and shown to everybody")
	return f.register(cmd)
}
