package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/internal/config"
	"edrpipe/internal/service"
)

// configFlags lets a command take the service's configuration: --config and one
// flag a key.
type configFlags struct {
	file string
	set  *cobra.Command
}

func (f *configFlags) register(cmd *cobra.Command) {
	f.set = cmd
	cmd.Flags().StringVarP(&f.file, "config", "c", os.Getenv("EDRPIPE_CONFIG"), "configuration file (default pipeline.yaml, if there is one)")
	for _, k := range config.Keys() {
		cmd.Flags().String(k.Flag(), "", k.Doc+" ("+k.Kind+", also $"+k.Env()+")")
		// Help lists what people use; `pipeline config example` lists every key.
		if strings.Count(k.Path, ".") > 0 {
			_ = cmd.Flags().MarkHidden(k.Flag()) // fails only for a flag that is not there
		}
	}
}

// load reads the configuration with the flags that were given.
func (f *configFlags) load() (config.Config, config.Origins, error) {
	given := map[string]string{}
	for _, k := range config.Keys() {
		if fl := f.set.Flags().Lookup(k.Flag()); fl.Changed {
			given[k.Path] = fl.Value.String()
		}
	}
	return config.Load(f.file, os.Environ(), given)
}

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show or start a configuration",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheckCommand(), newConfigPrintCommand(), newConfigKeysCommand(), newConfigExampleCommand(), newConfigSchemaCommand())
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:     "check",
		Example: `  pipeline config check --config pipeline.yaml`,
		Short:   "Find every mistake in the configuration",
		Long: `Find every mistake in the configuration and in what it names: files, secrets,
addresses, rules, guards, users. What run would refuse before it listens is refused
here; nothing is changed and nobody is contacted. Scripts, secrets, people and powers of
the server that rules and guards name are looked up.

The exit status is 1 when there are errors, 0 when there are only warnings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := f.load()
			if err != nil {
				return err
			}
			dangling := service.Dangling(cfg)
			for _, p := range dangling {
				fmt.Fprint(cmd.OutOrStdout(), p.Text())
			}
			for _, problem := range cfg.Exposure() {
				fmt.Fprintln(cmd.OutOrStdout(), "warning: "+problem)
			}
			if err := service.Preflight(cfg); err != nil {
				return err
			}
			if n := dangling.Errors(); n > 0 {
				return fmt.Errorf("configuration: %s", counted(n, "error"))
			}
			fmt.Fprintln(cmd.OutOrStdout(), "configuration is good")
			return nil
		},
	}
	f.register(cmd)
	return cmd
}

func newConfigPrintCommand() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:     "print",
		Example: `  pipeline config print --config pipeline.yaml --edr.sessions 5`,
		Short:   "Show the configuration in force and where each value comes from",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, origins, err := f.load()
			if err != nil {
				return err
			}
			return config.Print(cmd.OutOrStdout(), c, origins)
		},
	}
	f.register(cmd)
	return cmd
}

func newConfigExampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "example",
		Example: `  pipeline config example > example.yaml`,
		Short:   "Print a commented pipeline.yaml with every key and its default",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return config.Example(cmd.OutOrStdout()) },
	}
}

func newConfigSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Example: `  pipeline config schema > pipeline.schema.json`,
		Short:   "Print the JSON Schema of pipeline.yaml, for editors",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(config.Schema())
		},
	}
}
