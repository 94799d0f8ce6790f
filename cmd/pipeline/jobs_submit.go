package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/looseid"
	"edrpipe/internal/pace"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
)

// jobSubmission is what the flags of `jobs submit` ask for.
type jobSubmission struct {
	*serverFlags
	sensor         string
	uses, priority string
	with           []string
	within         time.Duration
	dryRun, wait   bool
	file           string
}

func newJobsSubmitCommand(f *serverFlags) *cobra.Command {
	s := jobSubmission{serverFlags: f}
	cmd := &cobra.Command{
		Use:   "submit",
		Short: "Submit a job of one action, or many jobs from a file",
		Long: `Submit a job of one action on one sensor, or one job for each line of a file:
  {"sensor": 7, "steps": [{"uses": "get_file", "with": {"path": "c:\\x"}}], "priority": "high", "deadline": "2026-01-31T12:00:00Z"}
Durations in steps are written as in rules: "timeout": "5m". All lines are read and
checked before the first one is sent: when one is wrong, each that is wrong is told
and nothing is submitted. One that the service refuses (there is no such sensor)
keeps none of the others back, and makes the exit status 1. Prints the ids of the
jobs. With --wait the exit status is 1 when one of them did not succeed.`,
		Example: `  pipeline jobs submit --sensor 7 --uses get_file --with path='c:\temp\x.exe' --wait
  pipeline jobs submit --file jobs.ndjson`,
		Args: cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error { return s.submit(cmd, c) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&s.sensor, "sensor", "", "the endpoint: hq/42, or an id or host name that only one has")
	fl.StringVar(&s.uses, "uses", "", "the action")
	fl.StringArrayVar(&s.with, "with", nil, "name=value of a parameter; may be repeated")
	fl.StringVar(&s.priority, "priority", "", "low, normal, high or critical")
	fl.DurationVar(&s.within, "within", 0, "how long it may wait to start (default: as the service is set)")
	fl.BoolVar(&s.dryRun, "dry-run", false, "decide and record, act on nothing")
	fl.StringVar(&s.file, "file", "", "file with one job a line; - is standard input")
	fl.BoolVar(&s.wait, "wait", false, "wait until the jobs have ended")
	_ = cmd.RegisterFlagCompletionFunc("uses", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { // fails only for a flag that is not there
		var names []string
		for _, a := range actions.All() {
			names = append(names, a.Spec().Name+"\t"+a.Spec().Summary)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	cmd.MarkFlagsMutuallyExclusive("file", "uses")
	cmd.MarkFlagsOneRequired("file", "uses")
	return cmd
}

func (s *jobSubmission) submit(cmd *cobra.Command, c *apiclient.Client) error {
	list, err := s.submissions(cmd.InOrStdin())
	if err != nil {
		return err
	}
	var submitted []web.JobLine
	var refused []error
	bar := newBar(cmd.ErrOrStderr())
	defer bar.End()
	for i, r := range list {
		var job web.JobLine
		err := c.Post(cmd.Context(), "jobs", r.Submission, &job)
		var answer *apiclient.Error
		switch {
		case errors.As(err, &answer) && answer.Status < http.StatusInternalServerError && s.file != "":
			refused = append(refused, fmt.Errorf("%s: %w", r.place, err)) // this one; the others stand for themselves
		case err != nil:
			return fmt.Errorf("%s: %w\n%d of %d jobs were submitted before it, none after it", r.place, err, len(submitted), len(list))
		default:
			submitted = append(submitted, job)
			if !s.wait && s.output == "table" {
				fmt.Fprintln(cmd.OutOrStdout(), job.ID)
			}
		}
		bar.Count(i+1, len(list), "submitted")
	}
	return errors.Join(s.finish(cmd, c, submitted), refusals(refused, len(submitted)))
}

// finish waits for the jobs where that is asked for, and prints them.
func (s *jobSubmission) finish(cmd *cobra.Command, c *apiclient.Client, submitted []web.JobLine) error {
	if s.wait {
		return s.await(cmd, c, submitted)
	}
	return s.print(cmd.OutOrStdout(), submitted, func() {})
}

// refusals tells which lines of a file became no jobs.
func refusals(refused []error, submitted int) error {
	if len(refused) == 0 {
		return nil
	}
	summary := fmt.Errorf("%s submitted, %d refused", counted(submitted, "job"), len(refused))
	return errors.Join(append(refused, summary)...)
}

func (s *jobSubmission) submissions(stdin io.Reader) ([]placedSubmission, error) {
	if s.file == "" {
		if s.sensor == "" {
			return nil, &usageError{errors.New("--sensor is missing: see `pipeline sensors`")}
		}
		r := web.Submission{Sensor: looseid.ID(s.sensor), Priority: jobs.Priority(s.priority), DryRun: s.dryRun, Steps: []actions.Step{{Uses: s.uses, With: map[string]any{}}}}
		if s.within > 0 {
			r.Deadline = time.Now().Add(s.within)
		}
		for _, w := range s.with {
			name, value, ok := strings.Cut(w, "=")
			if !ok {
				return nil, &usageError{fmt.Errorf("--with %q: write name=value", w)}
			}
			r.Steps[0].With[name] = literal(value)
		}
		return []placedSubmission{{r, "sensor " + s.sensor}}, nil
	}
	in, err := openInput(s.file, stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return readSubmissions(s.file, in)
}

// literal is a number or a truth value where the text is one.
func literal(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n
	}
	if text == "true" || text == "false" {
		return text == "true"
	}
	return text
}

// pollEvery is how often a job is looked at that is waited for.
const pollEvery = 500 * time.Millisecond

// await waits for all jobs and shows them.
func (s *jobSubmission) await(cmd *cobra.Command, c *apiclient.Client, submitted []web.JobLine) error {
	bar := newBar(cmd.ErrOrStderr())
	defer bar.End()
	bad := false
	pages := make([]web.JobPage, len(submitted))
	for i, j := range submitted {
		if err := awaitJob(cmd.Context(), c, j.ID, &pages[i], func(p web.JobPage) {
			bar.Count(i, len(submitted), fmt.Sprintf("ended; job %s is %s %s", j.ID, p.State, p.Why))
		}); err != nil {
			bar.End()
			fmt.Fprintf(cmd.ErrOrStderr(), "not waited for, and going on: %s\n", strings.Join(idsOf(submitted[i:]), " "))
			return err
		}
		bad = bad || outcome(pages[i]) != nil
	}
	bar.End()
	w := cmd.OutOrStdout()
	err := s.print(w, pages, func() {
		for _, p := range pages {
			showJob(w, p)
		}
	})
	if err == nil && bad {
		return errSilent
	}
	return err
}

func idsOf(list []web.JobLine) []string {
	ids := make([]string, len(list))
	for i, j := range list {
		ids[i] = j.ID
	}
	return ids
}

// awaitJob blocks until the job has ended; show gets what it is like meanwhile.
func awaitJob(ctx context.Context, c *apiclient.Client, id string, p *web.JobPage, show func(web.JobPage)) error {
	for {
		if err := c.Get(ctx, "jobs/"+url.PathEscape(id), nil, p); err != nil {
			return err
		}
		if p.State.Terminal() {
			return nil
		}
		show(*p)
		if err := pace.Sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
}
