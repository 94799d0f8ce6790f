package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/seal"
	"edrpipe/rules"
)

func newRulesRecordCommand() *cobra.Command {
	var b busFlags
	var file string
	var raw bool
	cmd := &cobra.Command{
		Use:   "record [flags] JOB | --file FILE",
		Short: "Turn a job that ran into a test of its rule",
		Long: `Turn a job that ran into a test of its rule: the event as it was, the results of
the steps as mocks, the parameters that they were given as expectations. The job
comes from the bus by its id, or from a file with its record as JSON (- is
standard input). What is printed is a file for the rule's directory whose name
should end in _test.yaml.`,
		Example: `  pipeline rules record 8f3a21c0 > rules/kill-office-shell_test.yaml
  pipeline rules test rules/`,
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
				j, err = fetchJob(cmd, &b, ids[0])
			}
			if err != nil {
				return err
			}
			text, err := recordingOf(j, raw).Test()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	b.register(cmd)
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "record of the job as JSON; - is standard input")
	f.BoolVar(&raw, "raw", false, "keep the original message of the event, for rules that read raw")
	return cmd
}

func readJob(file string, stdin io.Reader) (*jobs.Job, error) {
	in, err := openInput(file, stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	j := &jobs.Job{}
	if err := json.NewDecoder(in).Decode(j); err != nil {
		return nil, fmt.Errorf("%s: not the record of a job: %w", file, err)
	}
	return j, nil
}

func fetchJob(cmd *cobra.Command, b *busFlags, id string) (*jobs.Job, error) {
	conn, err := b.connect(cmd.Context(), commandLog(cmd))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return jobOnBus(cmd.Context(), conn, id)
}

func jobOnBus(ctx context.Context, conn *bus.Bus, id string) (*jobs.Job, error) {
	store, err := natsstore.Open(ctx, conn.JetStream(), bus.BucketJobs, bus.BucketFinished, seal.Unverified())
	if err != nil {
		return nil, err
	}
	return store.Get(ctx, id)
}

// recordingOf takes from a job what a test needs: the steps of its chains that
// ran, each once.
func recordingOf(j *jobs.Job, raw bool) rules.Recording {
	r := rules.Recording{
		Name: fmt.Sprintf("job %s on %s", j.ID, j.Endpoint), Rule: j.Rule, Event: j.Event, Raw: raw,
		Outcome: string(j.State),
	}
	own := map[string]bool{}
	stepIDs(j.Steps, own)
	stepIDs(j.OnFailure, own)
	for _, done := range j.Done {
		if !own[done.ID] || done.State != jobs.StepOK && done.State != jobs.StepFailed {
			continue
		}
		r.Steps = append(r.Steps, rules.RecordedStep{ID: done.ID, Args: done.Args, Output: done.Output, Error: done.Error})
	}
	return r
}

func stepIDs(steps []actions.Step, into map[string]bool) {
	for _, s := range steps {
		into[s.ID] = true
		stepIDs(s.Parallel, into)
	}
}
