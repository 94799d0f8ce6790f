package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"edrpipe/internal/console"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

func newRulesRecordCommand() *cobra.Command {
	var f serverFlags
	var file string
	var raw bool
	cmd := &cobra.Command{
		Use:   "record [flags] JOB | --file FILE",
		Short: "Turn a job that ran into a test of its rule",
		Long: `Turn a job that ran into a test of its rule: the event as it was, the results of
the steps as mocks, the parameters that they were given as expectations. The job
comes from the running service by its id, or from a file (- is standard input) with
what "pipeline jobs show JOB -o json" printed, or with the job's record. What is
printed is a file for the rule's directory whose name should end in _test.yaml.`,
		Example: `  pipeline rules record 8f3a21c0 > rules/kill-office-shell_test.yaml
  pipeline jobs show 8f3a21c0 -o json | pipeline rules record --file -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			if (len(ids) == 1) == (file != "") {
				return &usageError{fmt.Errorf("give the id of a job, or --file")}
			}
			var j *jobs.Job
			var err error
			if file != "" {
				j, err = readJob(file, cmd.InOrStdin())
			} else {
				j, err = fetchJob(cmd.Context(), &f, ids[0])
			}
			if err != nil {
				return err
			}
			text, err := console.Recording(j, raw).Test()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	f.register(cmd)
	_ = cmd.PersistentFlags().MarkHidden("output") // fails only for a flag that is not there
	cmd.Flags().StringVar(&file, "file", "", "the job as JSON; - is standard input")
	cmd.Flags().BoolVar(&raw, "raw", false, "keep the original message of the event, for rules that read raw")
	return cmd
}

// readJob reads a job's record, alone or in the page that "jobs show" prints.
func readJob(file string, stdin io.Reader) (*jobs.Job, error) {
	in, err := openInput(file, stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var text json.RawMessage
	var page struct {
		Job json.RawMessage `json:"job"`
	}
	if err := json.NewDecoder(in).Decode(&text); err != nil {
		return nil, fmt.Errorf("%s: not the record of a job: %w", file, err)
	}
	if err := json.Unmarshal(text, &page); err == nil && page.Job != nil {
		text = page.Job
	}
	j := &jobs.Job{}
	if err := json.Unmarshal(text, j); err != nil {
		return nil, fmt.Errorf("%s: not the record of a job: %w", file, err)
	}
	return j, nil
}

func fetchJob(ctx context.Context, f *serverFlags, id string) (*jobs.Job, error) {
	c, err := f.client()
	if err != nil {
		return nil, err
	}
	var page web.JobPage
	if err := c.Get(ctx, "jobs/"+url.PathEscape(id), nil, &page); err != nil {
		return nil, err
	}
	return page.Job, nil
}
