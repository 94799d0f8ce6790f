package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
)

func newStopCommand() *cobra.Command {
	return switchCommand("stop", "Start nothing new on any sensor, on all replicas; running steps end", "stopped: nothing new starts until `pipeline resume`")
}

func newResumeCommand() *cobra.Command {
	return switchCommand("resume", "Go on after a stop", "resumed")
}

func switchCommand(name, short, said string) *cobra.Command {
	var f serverFlags
	var why string
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			if err := c.Post(cmd.Context(), name, map[string]string{"why": why}, nil); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), said)
			return nil
		}),
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, kept in the audit log and shown to everybody")
	return f.register(cmd)
}
