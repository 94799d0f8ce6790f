package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edrpipe/internal/nearest"
)

// newRootCommand lists the commands; each is a file of its own.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "pipeline",
		Short: "Act on endpoints when an EDR reports something bad",
		Long: `Act on endpoints when an EDR reports something bad.

Exit status: 0 done; 1 what was asked did not succeed, or a check found errors;
2 the command line is wrong; 130 interrupted. Colours are left out where NO_COLOR
is set or the output is no terminal.`,
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
		newDoctorCommand(),
		newDryRunCommand(),
		newEndpointsCommand(),
		newEventsCommand(),
		newHealthCommand(),
		newInitCommand(),
		newJobsCommand(),
		newLRCommand(),
		newMCPCommand(),
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
	exampleOfGroups(root)
	completeNoFiles(root)
	usageArgs(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w%s; see %s --help", err, likelyFlag(cmd, err), cmd.CommandPath())}
	})
	return root
}

// exampleOfGroups gives a command that only holds others the first example of each.
func exampleOfGroups(cmd *cobra.Command) {
	var firsts []string
	for _, sub := range cmd.Commands() {
		exampleOfGroups(sub)
		if first, _, _ := strings.Cut(sub.Example, "\n"); first != "" {
			firsts = append(firsts, first)
		}
	}
	if cmd.Example == "" {
		cmd.Example = strings.Join(firsts, "\n")
	}
}

// likelyFlag suggests a flag where err is about one that is not there.
func likelyFlag(cmd *cobra.Command, err error) string {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		return ""
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	return didYouMean("--", nearest.Word(missing.GetSpecifiedName(), known))
}

// likelyCommand suggests a command where the first argument names none.
func likelyCommand(cmd *cobra.Command, args []string) string {
	if !cmd.HasAvailableSubCommands() || len(args) == 0 {
		return ""
	}
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	return didYouMean("", nearest.Word(args[0], known))
}

func didYouMean(prefix, word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", prefix+word)
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
				return &usageError{fmt.Errorf("%w%s; see %s --help", err, likelyCommand(cmd, args), cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageArgs(sub)
	}
}
