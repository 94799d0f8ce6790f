package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

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
		Use:     "show",
		Example: `  pipeline audit show --last 100`,
		Short:   "Show the newest entries, the oldest of them first",
		Args:    cobra.NoArgs,
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
	var noted []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read the whole log and compare every hash; exit status 1 when it is damaged",
		Long: `Read the whole log and compare every hash, and that it has the entries that its
end was noted to be: by the service, in audit.heads of its data directory, and by
you, with --noted. That shows that no end was cut off and no other log was put in
its place, which the hashes of the log cannot show. The exit status is 1 when the
log is damaged.

Keep what this prints somewhere else, and give it again later.`,
		Example: `  pipeline audit verify
  pipeline audit verify --noted 4711:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03`,
		Args: cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			var r web.AuditReport
			if err := c.Get(cmd.Context(), "audit/verify", url.Values{"noted": {strings.Join(noted, ",")}}, &r); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			err := f.print(w, r, func() {
				if !r.Good {
					fmt.Fprintln(w, r.Damage)
					return
				}
				if r.Foreign > 0 {
					fmt.Fprintf(w, "somebody else wrote %d blocks into the log's stream, which are passed over: find out who can write to it\n", r.Foreign)
				}
				fmt.Fprintf(w, "audit log is good: %d entries, the last one is %d:%s\n", r.Entries, r.Entries, r.Head)
			})
			if err == nil && !r.Good {
				return errSilent
			}
			return err
		}),
	}
	cmd.Flags().StringArrayVar(&noted, "noted", nil, "an entry that the log must have, as number:hash; may be repeated")
	return cmd
}
