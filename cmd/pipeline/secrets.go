package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/internal/config"
	"edrpipe/internal/secretfiles"
)

func newSecretsCommand() *cobra.Command {
	var readable bool
	var stateKey string
	cmd := &cobra.Command{
		Use:   "secrets DIR",
		Short: "Make the passwords and tokens that a deployment needs, as files; keep those that are there",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			mode := fs.FileMode(0o600)
			if readable {
				mode = 0o644
			}
			made, err := secretfiles.Make(args[0], cmp.Or(stateKey, filepath.Join(args[0], secretfiles.StateKey)), mode)
			for _, name := range made {
				fmt.Fprintln(cmd.OutOrStdout(), "made", name)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&readable, "readable", false, "let other users read the files: for a volume that containers with different users share")
	cmd.Flags().StringVar(&stateKey, "state-key", "", "file for the key that seals the records of replicas, where the bus cannot read it (default DIR/state.key)")
	cmd.AddCommand(newSecretsShowCommand())
	return cmd
}

// secretName keeps a name from leading elsewhere.
var secretName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)

func newSecretsShowCommand() *cobra.Command {
	var dir, file string
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Print a token or password of this deployment: show admin prints the token for the dashboard",
		Long: `Prints the secret NAME, out of NAME.token or NAME.password: in --dir, else beside the
users file and in the data directory of the configuration.`,
		Example: "  docker compose exec pipeline /pipeline secrets show admin",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !secretName.MatchString(args[0]) {
				return &usageError{fmt.Errorf("%q is not the name of a secret", args[0])}
			}
			dirs := []string{dir}
			if dir == "" {
				cfg, _, err := config.Load(file, os.Environ(), nil)
				if err != nil {
					return err
				}
				dirs = []string{filepath.Dir(cfg.Web.Users), cfg.Data, "secrets"}
			}
			text, err := findSecret(dirs, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), text)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the secrets")
	cmd.Flags().StringVarP(&file, "config", "c", os.Getenv("EDRPIPE_CONFIG"), "configuration file (default pipeline.yaml, if there is one)")
	return cmd
}

// findSecret returns the first secret of that name in the directories.
func findSecret(dirs []string, name string) (string, error) {
	var there []string
	for _, dir := range dirs {
		for _, ending := range []string{".token", ".password"} {
			data, err := os.ReadFile(filepath.Join(dir, name+ending))
			if err == nil {
				return strings.TrimSpace(string(data)), nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			others, _ := filepath.Glob(filepath.Join(dir, "*"+ending)) // fails only for a bad pattern
			for _, o := range others {
				there = append(there, strings.TrimSuffix(filepath.Base(o), ending))
			}
		}
	}
	slices.Sort(there)
	return "", fmt.Errorf("there is no secret %q; there are: %s", name, strings.Join(slices.Compact(there), ", "))
}
