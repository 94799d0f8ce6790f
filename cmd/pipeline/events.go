package main

import "github.com/spf13/cobra"

// newEventsCommand holds the commands about events; each is a file of its own.
func newEventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Look at, convert and publish events",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newEventsConvertCommand(),
		newEventsDeadCommand(),
		newEventsListCommand(),
		newEventsPublishCommand(),
		newEventsShowCommand(),
		newEventsStatsCommand(),
		newEventsTailCommand(),
	)
	return cmd
}
