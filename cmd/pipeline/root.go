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
		newArtifactsCommand(),
		newAuditCommand(),
		newBridgeCommand(),
		newConfigCommand(),
		newDemoCommand(),
		newDocsCommand(),
		newEventsCommand(),
		newHealthCommand(),
		newJobsCommand(),
		newLRCommand(),
		newResumeCommand(),
		newRulesCommand(),
		newRunCommand(),
		newSecretsCommand(),
		newSensorsCommand(),
		newSilenceCommand(),
		newSimCommand(),
		newStopCommand(),
		newStateCommand(),
		newUsersCommand(),
		newVersionCommand(),
		newWhyCommand(),
	)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	return root
}
