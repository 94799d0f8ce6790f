package main

import (
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
	var share string
	var owners map[string]int
	cmd := &cobra.Command{
		Use:   "secrets DIR",
		Short: "Make the passwords and tokens that a deployment needs, as files; keep those that are there",
		Long: `Makes the secrets that are missing in DIR, each a file that only its owner reads. With
--share each part of a deployment gets a directory of its own with the secrets that it
reads, which belongs to that part's user; the token of admin is moved to the directory
"once", until pipeline secrets show prints it.`,
		Example: "  pipeline secrets site-secrets\n  pipeline secrets /secrets --share /parts --owners service=65532,nats=0,grafana=472",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (share == "") != (len(owners) == 0) {
				return &usageError{errors.New("--share and --owners go together")}
			}
			made, err := secretfiles.Make(args[0])
			for _, name := range made {
				fmt.Fprintln(cmd.OutOrStdout(), "made", name)
			}
			if err != nil || share == "" {
				return err
			}
			return secretfiles.Share(args[0], share, owners)
		},
	}
	cmd.Flags().StringVar(&share, "share", "", "directory below which each part gets a directory of its own with the secrets that it reads")
	cmd.Flags().StringToIntVar(&owners, "owners", nil, "numeric users of the parts that get one, as service=65532,nats=0")
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
users file and in the data directory of the configuration. A token in the directory
"once" of the data directory is printed once and removed.`,
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
				switch text, err := secretfiles.TakeOnce(filepath.Join(cfg.Data, secretfiles.OnceDir), args[0]); {
				case err == nil:
					fmt.Fprintln(cmd.ErrOrStderr(), "shown this once, and removed: keep it where secrets are kept")
					fmt.Fprintln(cmd.OutOrStdout(), text)
					return nil
				case !errors.Is(err, fs.ErrNotExist):
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
