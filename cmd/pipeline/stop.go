package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
)

func newStopCommand() *cobra.Command {
	return switchCommand("stop", "Start nothing new, on all replicas: everywhere, on one server or for one tenant", "stopped: nothing new starts until `pipeline resume`")
}

func newResumeCommand() *cobra.Command {
	return switchCommand("resume", "Go on after a stop", "resumed")
}

func switchCommand(name, short, said string) *cobra.Command {
	var f serverFlags
	var in web.Switching
	cmd := &cobra.Command{
		Use:     name,
		Example: fmt.Sprintf("  pipeline %s --why 'the servers are upgraded'", name),
		Short:   short,
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			if err := c.Post(cmd.Context(), name, in, nil); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), said+flagged(in))
			return nil
		}),
	}
	switchFlags(cmd, &in)
	return f.register(cmd)
}

// switchFlags are the flags of what is switched for everything or a part of it.
func switchFlags(cmd *cobra.Command, in *web.Switching) {
	cmd.Flags().StringVar(&in.Server, "server", "", "only on this server")
	cmd.Flags().StringVar(&in.Tenant, "tenant", "", "only on the servers of this tenant")
	cmd.Flags().StringVar(&in.Why, "why", "", "the reason, kept in the audit log and shown to everybody")
	cmd.MarkFlagsMutuallyExclusive("server", "tenant")
}

// flagged repeats the part, with which a switch is switched back.
func flagged(in web.Switching) string {
	switch {
	case in.Server != "":
		return " (--server " + in.Server + ")"
	case in.Tenant != "":
		return " (--tenant " + in.Tenant + ")"
	}
	return ""
}
