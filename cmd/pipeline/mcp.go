package main

import (
	"errors"
	"io"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/mcpserver"
)

func newMCPCommand() *cobra.Command {
	var f serverFlags
	var lists string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Let an assistant look at a running service (Model Context Protocol)",
		Long: `Serve the Model Context Protocol on standard input and output, for assistants that
start it as a program: what happened, why, and what rules and guards say, and a
check of rules that the assistant proposes. Nothing acts on an endpoint, allows a
step or changes the service. What can be seen is what the token's role may see: give
the assistant a user of its own with the role viewer.`,
		Example: `  pipeline users add assistant --role viewer --file users.yaml
  pipeline mcp --token-file assistant.token`,
		Args: cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			server := mcpserver.New(mcpserver.Config{Service: c, Version: version, Lists: lists})
			err := server.Run(cmd.Context(), &mcp.IOTransport{Reader: io.NopCloser(cmd.InOrStdin()), Writer: nopCloser{cmd.OutOrStdout()}})
			if errors.Is(err, io.EOF) { // the assistant has gone
				return nil
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&lists, "lists", "", "directory of the lists that proposed rules may name")
	return f.register(cmd)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
