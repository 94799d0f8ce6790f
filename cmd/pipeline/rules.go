package main

import "github.com/spf13/cobra"

// newRulesCommand holds the commands about rules; each is a file of its own.
func newRulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Write, check, test and explain rules",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newRulesBacktestCommand(),
		newRulesCheckCommand(),
		newRulesDiffCommand(),
		newRulesDocsCommand(),
		newRulesExplainCommand(),
		newRulesFmtCommand(),
		newRulesHealthCommand(),
		newRulesImportCommand(),
		newRulesListCommand(),
		newRulesLSPCommand(),
		newRulesNewCommand(),
		newRulesPlayCommand(),
		newRulesRecordCommand(),
		newRulesResetCommand(),
		newRulesSchemaCommand(),
		newRulesTestCommand(),
		newRulesTuneCommand(),
	)
	return cmd
}
