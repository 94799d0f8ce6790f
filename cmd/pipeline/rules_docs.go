package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/rules"
)

func newRulesDocsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "docs [TOPIC…]",
		Short: "Print the reference of the rule language",
		Long: `Print the reference of the rule language, made of the code that implements it:
` + strings.Join(rules.Topics, ", ") + `. Without a topic all of it, as Markdown.`,
		Example: `  pipeline rules docs fields
  pipeline rules docs > reference.md`,
		ValidArgs: rules.Topics,
		RunE: func(cmd *cobra.Command, topics []string) error {
			for _, topic := range topics {
				if !slices.Contains(rules.Topics, topic) {
					return &usageError{fmt.Errorf("%s: topics are %s", topic, strings.Join(rules.Topics, ", "))}
				}
			}
			fmt.Fprint(cmd.OutOrStdout(), rules.Reference(topics...))
			return nil
		},
	}
}

func newRulesSchemaCommand() *cobra.Command {
	var tests bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of rule files, for editors",
		Long: `Print the JSON Schema of rule files. Editors with a YAML language server complete
and check rules with it when a file begins with

  # yaml-language-server: $schema=edrpipe-rules.schema.json`,
		Example: `  pipeline rules schema > edrpipe-rules.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			make := rules.Schema
			if tests {
				make = rules.SchemaOfTests
			}
			data, err := make()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", data)
			return nil
		},
	}
	cmd.Flags().BoolVar(&tests, "tests", false, "of *_test.yaml files instead")
	return cmd
}
