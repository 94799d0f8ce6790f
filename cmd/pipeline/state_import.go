package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/backup"
)

func newStateImportCommand() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:     "import FILE",
		Example: `  pipeline state import --config pipeline.yaml edrpipe.state.gz`,
		Short:   "Put exported state onto an empty bus",
		Long: `Verifies the file, then puts its records onto the bus that the configuration
names. A bus that holds state already is refused, and left as it is. Start the
service afterwards: it goes on with the jobs that had not ended.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			key, err := auditKey(f)
			if err != nil {
				return err
			}
			b, closeBus, err := openState(cmd.Context(), cmd, f)
			if err != nil {
				return err
			}
			bar := newBar(cmd.ErrOrStderr())
			s, err := backup.Import(cmd.Context(), b, in, key, func(done, all int) { bar.Count(done, all, "records") })
			bar.End()
			if err = errors.Join(err, closeBus()); err != nil {
				return err
			}
			printSummary(cmd, "imported", s)
			return nil
		},
	}
	f.register(cmd)
	return cmd
}

// auditKey reads the key of the audit log's hashes. Without one here the log is of before
// it had a key, or cannot be verified yet.
func auditKey(f configFlags) ([]byte, error) {
	cfg, _, err := f.load()
	if err != nil {
		return nil, err
	}
	key, err := cfg.AuditKey()
	if errors.Is(err, os.ErrNotExist) && cfg.Audit == "" {
		return nil, nil
	}
	return key, err
}

func newStateVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify FILE",
		Example: `  pipeline state verify edrpipe.state.gz`,
		Short:   "Check that an exported file is whole, and say what is in it",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			h, s, err := backup.Verify(in)
			if err != nil {
				return err
			}
			printSummary(cmd, "exported on "+h.Created.Format(time.DateTime)+" UTC:", s)
			return nil
		},
	}
}

func printSummary(cmd *cobra.Command, what string, s backup.Summary) {
	fmt.Fprintf(cmd.OutOrStdout(), "%s %d records\n", what, s.Records)
	for _, name := range slices.Sorted(maps.Keys(s.Streams)) {
		fmt.Fprintf(cmd.OutOrStdout(), "  %-18s %d\n", name, s.Streams[name])
	}
}
