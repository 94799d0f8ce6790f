package main

import (
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/config"
)

// configKey is a key of pipeline.yaml, for programs.
type configKey struct {
	Key     string   `json:"key"`
	Env     string   `json:"env"`
	Kind    string   `json:"kind"`
	Default string   `json:"default"`
	Choice  []string `json:"choice,omitempty"`
	Doc     string   `json:"doc"`
}

func newConfigKeysCommand() *cobra.Command {
	var form outputFlag
	cmd := &cobra.Command{
		Use:     "keys",
		Example: "  pipeline config keys\n  pipeline config keys -o json",
		Short:   "List every key of pipeline.yaml with its kind, default and environment variable",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := form.check(); err != nil {
				return err
			}
			var keys []configKey
			defaults := config.Default()
			for _, k := range config.Keys() {
				keys = append(keys, configKey{k.Path, k.Env(), k.Kind, k.Get(defaults), k.Choice, k.Doc})
			}
			w := cmd.OutOrStdout()
			return form.print(w, keys, func() {
				t := newTable(w, "key", "kind", "~default", "=what")
				for _, k := range keys {
					t.AppendRow(table.Row{k.Key, k.Kind, k.Default, k.Doc})
				}
				t.Render()
			})
		},
	}
	form.register(cmd)
	return cmd
}
