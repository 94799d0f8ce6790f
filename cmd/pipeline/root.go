package main

import (
	"fmt"

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
	usageArgs(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	return root
}

// usageArgs makes wrong arguments and missing flags mistakes in the command line,
// like wrong flags.
func usageArgs(cmd *cobra.Command) {
	if cmd.PreRunE == nil {
		cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
			for _, err := range []error{cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()} {
				if err != nil {
					return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
				}
			}
			return nil
		}
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageArgs(sub)
	}
}
