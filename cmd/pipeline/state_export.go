package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"edrpipe/internal/backup"
)

func newStateExportCommand() *cobra.Command {
	var f configFlags
	var artifacts bool
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the state to a file",
		Long: `Writes jobs (live and finished), controls, audit log, results, history and dead
letters to one file with a checksum. With an external bus the service may go on
running; an embedded bus is the service's own, so stop that first. Events are not
state and are left out; collected files come along with --artifacts.`,
		Example: `  pipeline state export --config pipeline.yaml edrpipe-$(date +%F).state.gz`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, closeBus, err := openState(cmd.Context(), cmd, f)
			if err != nil {
				return err
			}
			bar := newBar(cmd.ErrOrStderr())
			s, err := exportTo(args[0], func(out *os.File) (backup.Summary, error) {
				return backup.Export(cmd.Context(), b, out, backup.Options{Artifacts: artifacts, Progress: func(done, all int) { bar.Count(done, all, "records") }})
			})
			bar.End()
			if err = errors.Join(err, closeBus()); err != nil {
				return err
			}
			printSummary(cmd, "exported", s)
			return nil
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&artifacts, "artifacts", false, "also the collected files, where they are kept on the bus")
	return cmd
}

// exportTo writes the file beside its place first: what has the name is whole. It
// replaces no file.
func exportTo(name string, write func(*os.File) (backup.Summary, error)) (backup.Summary, error) {
	if _, err := os.Stat(name); err == nil {
		return backup.Summary{}, fmt.Errorf("%s is there already: give another name", name)
	}
	out, err := os.OpenFile(name+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return backup.Summary{}, err
	}
	s, err := write(out)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return s, errors.Join(err, os.Remove(name+".part"))
	}
	return s, os.Rename(name+".part", name)
}
