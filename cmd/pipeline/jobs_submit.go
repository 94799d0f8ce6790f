package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
)

// jobSubmission is what the flags of `jobs submit` ask for.
type jobSubmission struct {
	*serverFlags
	sensor         int
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
All lines are read before the first one is sent. Prints the ids of the jobs. With
--wait the exit status is 1 when one of them did not succeed.`,
		Example: `  pipeline jobs submit --sensor 7 --uses get_file --with path='c:\temp\x.exe' --wait
  pipeline jobs submit --file jobs.ndjson`,
		Args: cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error { return s.submit(cmd, c) }),
	}
	fl := cmd.Flags()
	fl.IntVar(&s.sensor, "sensor", 0, "the sensor's id")
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
	submitted := make([]web.JobLine, len(list))
	bar := newCountBar(cmd.ErrOrStderr(), len(list))
	defer bar.end()
	for i, r := range list {
		if err := c.Post(cmd.Context(), "jobs", r, &submitted[i]); err != nil {
			return fmt.Errorf("job %d of %d, on sensor %d: %w", i+1, len(list), r.Sensor, err)
		}
		if !s.wait && s.output == "table" {
			fmt.Fprintln(cmd.OutOrStdout(), submitted[i].ID)
		}
		bar.step("submitted")
	}
	if s.wait {
		return s.await(cmd, c, submitted)
	}
	return s.print(cmd.OutOrStdout(), submitted, func() {})
}

func (s *jobSubmission) submissions(stdin io.Reader) ([]web.Submission, error) {
	if s.file == "" {
		if s.sensor <= 0 {
			return nil, &usageError{errors.New("--sensor is missing: see `pipeline sensors`")}
		}
		r := web.Submission{Sensor: s.sensor, Priority: jobs.Priority(s.priority), DryRun: s.dryRun, Steps: []actions.Step{{Uses: s.uses, With: map[string]any{}}}}
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
		return []web.Submission{r}, nil
	}
	in := stdin
	if s.file != "-" {
		f, err := os.Open(s.file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read from
		in = f
	}
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

func readSubmissions(name string, in io.Reader) ([]web.Submission, error) {
	var list []web.Submission
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		d := json.NewDecoder(strings.NewReader(lines.Text()))
		d.DisallowUnknownFields()
		var r web.Submission
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w; nothing was submitted", name, n, err)
		}
		list = append(list, r)
	}
	if len(list) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("%s holds no job", name)
	}
	return list, lines.Err()
}

// pollEvery is how often a job is looked at that is waited for.
const pollEvery = 500 * time.Millisecond

// await waits for all jobs and shows them.
func (s *jobSubmission) await(cmd *cobra.Command, c *apiclient.Client, submitted []web.JobLine) error {
	bar := newCountBar(cmd.ErrOrStderr(), len(submitted))
	defer bar.end()
	bad := false
	pages := make([]web.JobPage, len(submitted))
	for i, j := range submitted {
		if err := awaitJob(cmd.Context(), c, j.ID, &pages[i], bar); err != nil {
			return err
		}
		bad = bad || pages[i].State != jobs.Succeeded
		bar.step("ended")
	}
	bar.end()
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

func awaitJob(ctx context.Context, c *apiclient.Client, id string, p *web.JobPage, bar *countBar) error {
	for {
		if err := c.Get(ctx, "jobs/"+url.PathEscape(id), nil, p); err != nil {
			return err
		}
		if p.State.Terminal() {
			return nil
		}
		bar.say(fmt.Sprintf("job %s is %s %s", id, p.State, p.Why))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}
