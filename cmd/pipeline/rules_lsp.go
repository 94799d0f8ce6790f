package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"edrpipe/internal/lsp"
)

func newRulesLSPCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lsp",
		Short: "Help editors to write rules: a language server",
		Long: `Help editors to write rules: a server of the Language Server Protocol over standard
input and output. It says what is wrong as one types, as check does; completes keys,
event types, fields that the rule's events carry, their values, functions, actions,
parameters, outputs of steps and lists; shows documentation; finds definitions and
references; renames rules, steps and variables; offers each "did you mean" as a fix;
and formats as fmt does.

Editors start it. How to set up VS Code, Neovim, Helix and Emacs is in editors/.`,
		Example: `  pipeline rules lsp`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return lsp.Serve(cmd.Context(), standardStream{cmd.InOrStdin(), cmd.OutOrStdout()}, version)
		},
	}
}

// standardStream is standard input and output as one stream.
type standardStream struct {
	io.Reader
	io.Writer
}

// Close ends reading; the end of the process closes the rest.
func (s standardStream) Close() error {
	if f, ok := s.Reader.(*os.File); ok {
		return f.Close()
	}
	return nil
}
