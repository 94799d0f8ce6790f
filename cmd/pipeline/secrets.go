package main

import (
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"edrpipe/internal/secretfiles"
)

func newSecretsCommand() *cobra.Command {
	var readable bool
	cmd := &cobra.Command{
		Use:   "secrets DIR",
		Short: "Make the passwords and tokens that a deployment needs, as files; keep those that are there",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			mode := fs.FileMode(0o600)
			if readable {
				mode = 0o644
			}
			made, err := secretfiles.Make(args[0], mode)
			for _, name := range made {
				fmt.Fprintln(cmd.OutOrStdout(), "made", name)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&readable, "readable", false, "let other users read the files: for a volume that containers with different users share")
	return cmd
}
