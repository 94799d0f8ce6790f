package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
)

func newDryRunCommand() *cobra.Command {
	var f serverFlags
	var why string
	said := map[string]string{"on": "dry run: everything is decided and recorded, nothing is done", "off": "acting again"}
	cmd := &cobra.Command{
		Use:       "dry-run on|off",
		Short:     "Decide and record everything and act on nothing, on all replicas; or act again",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"on", "off"},
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			if err := c.Post(cmd.Context(), "dry-run", web.DryRun{On: args[0] == "on", Why: why}, nil); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), said[args[0]])
			return nil
		}),
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, kept in the audit log and shown to everybody")
	return f.register(cmd)
}
