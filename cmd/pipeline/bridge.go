package main

import "github.com/spf13/cobra"

// newBridgeCommand holds the commands that carry events from elsewhere onto the
// bus; each is a file of its own.
func newBridgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bridge",
		Short: "Carry events from elsewhere onto the bus",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newBridgeAMQPCommand(),
	)
	return cmd
}
