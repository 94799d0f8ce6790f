package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
	"edrpipe/pkg/audit"
)

func newAuditCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Read the audit log, and prove that nobody changed it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditShowCommand(&f), newAuditVerifyCommand(&f))
	return f.register(cmd)
}

func newAuditShowCommand(f *serverFlags) *cobra.Command {
	var last int
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the newest entries, the oldest of them first",
		Args:  cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			raw := []json.RawMessage{}
			if err := c.Get(cmd.Context(), "audit", url.Values{"last": {strconv.Itoa(last)}}, &raw); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, raw, func() {
				for _, r := range raw {
					var e audit.Entry
					if json.Unmarshal(r, &e) == nil {
						fmt.Fprintln(w, e)
					}
				}
			})
		}),
	}
	cmd.Flags().IntVar(&last, "last", 50, fmt.Sprintf("how many, %d at the most", web.MaxList))
	return cmd
}

func newAuditVerifyCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read the whole log and compare every hash; exit status 1 when it is damaged",
		Args:  cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			var r web.AuditReport
			if err := c.Get(cmd.Context(), "audit/verify", nil, &r); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			err := f.print(w, r, func() {
				if !r.Good {
					fmt.Fprintln(w, r.Damage)
					return
				}
				fmt.Fprintf(w, "audit log is good: %d entries, the last one's hash is %s\n", r.Entries, r.Head)
			})
			if err == nil && !r.Good {
				return errSilent
			}
			return err
		}),
	}
}
