package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
)

func newDryRunCommand() *cobra.Command {
	var f serverFlags
	var in web.Switching
	said := map[string]string{"on": "dry run: everything is decided and recorded, nothing is done", "off": "acting again"}
	cmd := &cobra.Command{
		Use: "dry-run on|off",
		Example: `  pipeline dry-run on --why 'new rules are tried'
  pipeline dry-run off`,
		Short:     "Decide and record everything and act on nothing, on all replicas; or act again",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"on", "off"},
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			if err := c.Post(cmd.Context(), "dry-run", web.DryRun{On: args[0] == "on", Switching: in}, nil); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), said[args[0]]+flagged(in))
			return nil
		}),
	}
	switchFlags(cmd, &in)
	return f.register(cmd)
}
