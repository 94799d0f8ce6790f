package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"edrpipe/internal/notices"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"gopkg.in/yaml.v3"
)

func newDocsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "docs",
		Short: "Show the documentation in a browser; write man pages or the reference of all commands",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "man DIR",
		Example: `  pipeline docs man man/`,
		Short:   "Write a man page for each command",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Title: "PIPELINE", Section: "1", Source: "edrpipe"}, args[0])
		},
	}, &cobra.Command{
		Use:     "markdown",
		Example: `  pipeline docs markdown > cli.md`,
		Short:   "Print the reference of all commands, which is docs/cli.md",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return commandReference(cmd.OutOrStdout(), cmd.Root()) },
	})
	cmd.AddCommand(newDocsServeCommand(), &cobra.Command{
		Use:     "asyncapi",
		Example: `  pipeline docs asyncapi > asyncapi.yaml`,
		Short:   "Print the AsyncAPI document of the bus, which is docs/asyncapi.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), "# Made by `pipeline docs asyncapi`; a test holds it current.")
			e := yaml.NewEncoder(cmd.OutOrStdout())
			e.SetIndent(2)
			return e.Encode(notices.Contract())
		},
	})
	return cmd
}

const referenceHead = `# Commands

Made by ` + "`pipeline docs markdown`" + `; a test holds it current. Man pages: ` + "`pipeline docs man DIR`" + `.
Shell completion, with job ids and rule names of the running service:
` + "`source <(pipeline completion bash)`" + ` (also zsh, fish, powershell).

`

// commandReference writes the reference of all commands below root.
func commandReference(w io.Writer, root *cobra.Command) error {
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	var b bytes.Buffer
	b.WriteString(referenceHead)
	if err := referTo(&b, root); err != nil {
		return err
	}
	// The generated commands of each shell are left out, so nothing can lead to them.
	text := strings.ReplaceAll(b.String(), "[pipeline completion](#pipeline-completion)", "pipeline completion")
	_, err := fmt.Fprintln(w, strings.TrimSpace(text))
	return err
}

func referTo(b *bytes.Buffer, cmd *cobra.Command) error {
	anchor := func(file string) string {
		return "#" + strings.ReplaceAll(strings.TrimSuffix(file, ".md"), "_", "-")
	}
	if err := doc.GenMarkdownCustom(cmd, b, anchor); err != nil {
		return err
	}
	b.WriteString("\n")
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "completion" || c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := referTo(b, c); err != nil {
			return err
		}
	}
	return nil
}
