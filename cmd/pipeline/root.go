package main

import (
	"github.com/spf13/cobra"
)

// newRootCommand lists the commands; each is a file of its own.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "pipeline",
		Short:         "Act on endpoints when an EDR reports something bad",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(
		newBridgeCommand(),
		newConfigCommand(),
		newDemoCommand(),
		newEventsCommand(),
		newHealthCommand(),
		newLRCommand(),
		newRunCommand(),
		newRulesCommand(),
		newSecretsCommand(),
		newSimCommand(),
		newUsersCommand(),
		newVersionCommand(),
	)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	return root
}
