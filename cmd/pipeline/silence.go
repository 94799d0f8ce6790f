package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
)

func newSilenceCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "silence",
		Short: "Keep a rule, a sensor or an action from acting for a while",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSilenceAddCommand(&f), newSilenceListCommand(&f), newSilenceRemoveCommand(&f))
	return f.register(cmd)
}

func newSilenceAddCommand(f *serverFlags) *cobra.Command {
	var s web.Silence
	var length time.Duration
	cmd := &cobra.Command{
		Use:     "add",
		Short:   "Begin a silence; what it matches is recorded and not done",
		Example: `  pipeline silence add --sensor 42 --for 4h --comment "being reinstalled"`,
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			if s.Rule == "" && s.Sensor == "" && s.Action == "" && s.Server == "" && s.Tenant == "" {
				return &usageError{errors.New("silence what? Give --rule, --sensor, --action, --server or --tenant; to stop everything there is `pipeline stop`")}
			}
			s.Until = time.Now().Add(length)
			if err := c.Post(cmd.Context(), "silences", s, &s); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, s, func() { fmt.Fprintf(w, "%s until %s\n", s.ID, clock(s.Until)) })
		}),
	}
	cmd.Flags().StringVar(&s.Rule, "rule", "", "this rule")
	cmd.Flags().StringVar((*string)(&s.Sensor), "sensor", "", "this endpoint: hq/42, or an id or host name that only one has")
	cmd.Flags().StringVar(&s.Action, "action", "", "this action")
	cmd.Flags().StringVar(&s.Server, "server", "", "the endpoints of this server")
	cmd.Flags().StringVar(&s.Tenant, "tenant", "", "the endpoints of the servers of this tenant")
	cmd.Flags().StringVar(&s.Comment, "comment", "", "why")
	cmd.Flags().DurationVar(&length, "for", 4*time.Hour, "how long")
	_ = cmd.MarkFlagRequired("comment")                         // these two fail only
	_ = cmd.RegisterFlagCompletionFunc("rule", f.completeRules) // for flags that are not there
	return cmd
}

func newSilenceListCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Example: `  pipeline silence list`,
		Short:   "List the silences in force",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			var page web.GuardsPage
			if err := c.Get(cmd.Context(), "guards", nil, &page); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, page.Silences, func() {
				t := newTable(w, "silence", "~rule", "sensor", "server", "tenant", "action", "until", "~by", "=comment")
				for _, s := range page.Silences {
					t.AppendRow(table.Row{s.ID, s.Rule, s.Sensor, s.Server, s.Tenant, s.Action, clock(s.Until), s.Author, printable.Line(s.Comment)})
				}
				t.Render()
			})
		}),
	}
}

func newSilenceRemoveCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "remove SILENCE",
		Example:           `  pipeline silence remove 6c1d2e3f`,
		Short:             "End a silence",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeSilences,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			if err := c.Delete(cmd.Context(), "silences/"+url.PathEscape(args[0])); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "silence %s ended\n", args[0])
			return nil
		}),
	}
}

func (f *serverFlags) completeSilences(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	c, err := f.client()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	var page web.GuardsPage
	var words []string
	if c.Get(ctx, "guards", nil, &page) == nil { // a shell has no place for errors
		for _, s := range page.Silences {
			if strings.HasPrefix(s.ID, begun) {
				words = append(words, s.ID+"\t"+printable.Line(s.Comment))
			}
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
