package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/endpoints"
	"edrpipe/pkg/strictyaml"
)

func newEndpointsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoints",
		Short: "Check the endpoints file, and show what is known of an endpoint",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEndpointsCheckCommand(), newEndpointsShowCommand())
	return cmd
}

func newEndpointsCheckCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Say everything that is wrong with an endpoints file, YAML or CSV",
		Long: `Say everything that is wrong with an endpoints file, YAML or CSV. Each problem comes
as file:line:column: message, with the line, a caret and what may have been meant.
Nothing is contacted. The exit status is 1 when there are errors.`,
		Example: `  pipeline endpoints check endpoints.yaml
  pipeline endpoints check --format github inventory.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat("format", format, formatText, formatJSON, formatGitHub); err != nil {
				return err
			}
			book, err := endpoints.Read(args[0])
			var problems strictyaml.Problems
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			if err := printBook(cmd.OutOrStdout(), format, book, problems); err != nil {
				return err
			}
			if err != nil {
				return errSilent
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", formatText, "text, json or github (annotations of a workflow)")
	return cmd
}

func printBook(w io.Writer, format string, book *endpoints.Book, problems strictyaml.Problems) error {
	switch format {
	case formatJSON:
		return printJSON(w, map[string]any{"entries": book.Len(), "errors": len(problems), "problems": append(strictyaml.Problems{}, problems...)})
	case formatGitHub:
		for _, p := range problems {
			fmt.Fprintln(w, annotation(p))
		}
		return nil
	}
	for _, p := range problems {
		fmt.Fprint(w, p.Text())
	}
	if len(problems) > 0 {
		fmt.Fprintln(w, counted(len(problems), "error"))
		return nil
	}
	entries := "entries"
	if book.Len() == 1 {
		entries = "entry"
	}
	fmt.Fprintf(w, "%d %s: in order\n", book.Len(), entries)
	return nil
}

func newEndpointsShowCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "show ENDPOINT",
		Short: "Show each fact of an endpoint and where it comes from",
		Long: `Show each fact of an endpoint and where it comes from: its events, its server, or the
line of the endpoints file; and the unknown facts. ENDPOINT is SERVER/ID, or
an id or a host name that exactly one endpoint has.`,
		Example:           `  pipeline endpoints show DC-0001`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			var x directory.Explained
			if err := c.Get(cmd.Context(), "endpoint", url.Values{"of": args}, &x); err != nil {
				return err
			}
			return f.print(cmd.OutOrStdout(), x, func() { printFacts(cmd.OutOrStdout(), x) })
		}),
	}
	return f.register(cmd)
}

func printFacts(w io.Writer, x directory.Explained) {
	fmt.Fprintf(w, "%s %s\n", x.Endpoint, printable.Line(x.Host))
	t := newTable(w, "fact", "~value", "~from", "~instead of")
	for _, fact := range x.Facts {
		value := printable.Line(fact.Value)
		if value == "" {
			value = "(none)"
		}
		t.AppendRow(table.Row{fact.Name, value, printable.Line(fact.Origin), printable.Line(strings.Join(fact.Over, "; "))})
	}
	t.Render()
	if len(x.Unknown) > 0 {
		fmt.Fprintf(w, "not known: %s\n", strings.Join(x.Unknown, ", "))
	}
	if len(x.Pending) > 0 {
		fmt.Fprintf(w, "not read yet, the server has not answered: %s\n", strings.Join(x.Pending, ", "))
	}
}
