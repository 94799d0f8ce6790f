package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/quarantine"
	"edrpipe/internal/web"
)

func newQuarantineCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Look at records on the bus that do not verify, and drop or restore them",
		Long: `Records that replicas share carry a checksum and a MAC by a key that the bus does not
have. One that does not verify is damaged, or somebody else wrote it. It is never acted
on: a switch counts as stopped, a breaker as open, a budget as used up, the slot table as
full, a suppression as in force, and a job does not run. The service goes on with
everything else, and these commands repair it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQuarantineListCommand(&f), newQuarantineDropCommand(&f), newQuarantineRestoreCommand(&f))
	return f.register(cmd)
}

func newQuarantineListCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Example: `  pipeline state quarantine list`,
		Short:   "Read every record, and list those that do not verify",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			var all []quarantine.Record
			if err := c.Get(cmd.Context(), "quarantine", nil, &all); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, all, func() {
				if len(all) == 0 {
					fmt.Fprintln(w, "every record verifies")
					return
				}
				t := newTable(w, "bucket", "key", "revision", "good copy", "held meanwhile", "=why")
				for _, r := range all {
					t.AppendRow(table.Row{r.Bucket, printable.Line(r.Key), r.Revision, map[bool]string{true: "yes"}[r.Copy], r.Held, printable.Line(r.Why)})
				}
				t.Render()
			})
		}),
	}
}

func newQuarantineDropCommand(f *serverFlags) *cobra.Command {
	var in web.Quarantined
	cmd := &cobra.Command{
		Use:   "drop BUCKET KEY",
		Short: "Remove a record that does not verify; its state is reset",
		Long: `Removes a record that does not verify. Its state is reset: without guard.budget.NAME the
budget is unspent. A job ends as unknown: look at its endpoint. Without guard.control the
service stays stopped until "pipeline resume", also after a restart; other stops and
silences are gone, so say both again where they should hold.`,
		Example: "  pipeline state quarantine drop control guard.breaker.ransomware --why 'disk error'",
		Args:    cobra.ExactArgs(2),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			in.Bucket, in.Key = args[0], args[1]
			if err := c.Post(cmd.Context(), "quarantine/drop", in, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s of bucket %s dropped\n", in.Key, in.Bucket)
			return nil
		}),
	}
	cmd.Flags().StringVar(&in.Why, "why", "", "a reason, for the audit log")
	return cmd
}

func newQuarantineRestoreCommand(f *serverFlags) *cobra.Command {
	var in web.Quarantined
	cmd := &cobra.Command{
		Use:     "restore BUCKET KEY",
		Example: `  pipeline state quarantine restore control guard.breaker.ransomware --why 'disk error'`,
		Short:   "Bring back the last good record in the place of one that does not verify",
		Long: `Writes the last record of that place which verified, as far as the replica that
answers has seen one since its start. With --as-is the record that is there is sealed
instead: only when you know who wrote it, as after the loss of the key.`,
		Args: cobra.ExactArgs(2),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			in.Bucket, in.Key = args[0], args[1]
			if err := c.Post(cmd.Context(), "quarantine/restore", in, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s of bucket %s restored\n", in.Key, in.Bucket)
			return nil
		}),
	}
	cmd.Flags().StringVar(&in.Why, "why", "", "a reason, for the audit log")
	cmd.Flags().BoolVar(&in.AsIs, "as-is", false, "seal the record that is there")
	return cmd
}
