package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/pkg/actions"
)

func newArtifactsCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "artifacts",
		Short: "List and fetch files collected from endpoints",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newArtifactsListCommand(&f), newArtifactsGetCommand(&f))
	return f.register(cmd)
}

func newArtifactsListCommand(f *serverFlags) *cobra.Command {
	var job string
	cmd := &cobra.Command{
		Use:     "list",
		Example: `  pipeline artifacts list --job 8f3a21c0`,
		Short:   "List collected files, newest first",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			found := []actions.Artifact{}
			if err := c.Get(cmd.Context(), "artifacts", url.Values{"job": {job}, "limit": {"1000"}}, &found); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, found, func() {
				t := newTable(w, "artifact", "sensor", "~from", "bytes", "~sha256", "collected", "~job")
				for _, a := range found {
					t.AppendRow(table.Row{a.ID, a.Sensor, printable.Line(a.Path), a.Size, a.SHA256, clock(a.Time), a.Job})
				}
				t.Render()
			})
		}),
	}
	cmd.Flags().StringVar(&job, "job", "", "only of this job")
	_ = cmd.RegisterFlagCompletionFunc("job", f.completeJobs("ended", "live")) // fails only for a flag that is not there
	return cmd
}

func newArtifactsGetCommand(f *serverFlags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:     "get ARTIFACT",
		Example: `  pipeline artifacts get 5d41402a --to evil.bin`,
		Short:   "Fetch a collected file, and compare its SHA-256",
		Long: `Fetch a collected file into ARTIFACT.bin, so that what an endpoint called it
cannot matter here, or to another place; - is standard output. It may be malware.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeArtifacts,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			body, digest, err := c.Download(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }() // only read from
			if to == "-" {
				return copyProven(forData(cmd.OutOrStdout()), body, digest)
			}
			name := firstOf(to, args[0]+".bin")
			out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			if err := errors.Join(copyProven(out, body, digest), out.Close()); err != nil {
				return errors.Join(err, os.Remove(name))
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s, SHA-256 %s\n", name, digest)
			return nil
		}),
	}
	cmd.Flags().StringVar(&to, "to", "", "file to write; it must not exist")
	return cmd
}

// copyProven copies what must have the digest.
func copyProven(to io.Writer, from io.Reader, digest string) error {
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, sum), from); err != nil {
		return fmt.Errorf("the file did not come whole: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return fmt.Errorf("the file has SHA-256 %s, and %s was collected", got, digest)
	}
	return nil
}
