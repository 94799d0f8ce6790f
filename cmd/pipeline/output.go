package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"edrpipe/internal/printable"
)

// outputFlag is --output, the same for all that lists or shows.
type outputFlag struct{ output string }

var outputForms = []string{"table", "json", "yaml"}

// register adds the flag to a command and those below it.
func (f *outputFlag) register(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&f.output, "output", "o", "table", "table, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputForms, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
}

func (f *outputFlag) check() error { return checkFormat("output", f.output, outputForms...) }

// print writes v as JSON or YAML, or lets table write it for people.
func (f *outputFlag) print(w io.Writer, v any, table func()) error {
	switch f.output {
	case "json":
		return printJSON(w, v)
	case "yaml":
		var b strings.Builder
		if err := printJSON(&b, v); err != nil {
			return err
		}
		var plain yaml.Node // JSON is YAML; a node keeps the order of the fields
		if err := yaml.Unmarshal([]byte(printable.Text(b.String())), &plain); err != nil {
			return fmt.Errorf("as YAML: %w", err)
		}
		e := yaml.NewEncoder(w)
		e.SetIndent(2)
		return e.Encode(block(&plain))
	}
	table()
	return nil
}

// block has a node and all below it written in lines of their own, as people write
// YAML.
func block(n *yaml.Node) *yaml.Node {
	n.Style = 0
	for _, c := range n.Content {
		block(c)
	}
	return n
}
