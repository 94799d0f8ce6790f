package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

func newJobsWatchCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "watch [JOB]",
		Example: `  pipeline jobs watch 8f3a21c0`,
		Short:   "Follow all jobs as they change, or one until it has ended",
		Long: `Follow all jobs until interrupted, or one job until it has ended: then the exit
status is 1 unless it succeeded, or had nothing to do because no step's condition
held, or was submitted as a dry run. With --output json each notice is a line.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: f.completeJobs("live"),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			if len(args) == 0 {
				return c.Watch(cmd.Context(), func(n apiclient.Notice) bool { f.showNotice(cmd, n); return true })
			}
			var p web.JobPage
			path := "jobs/" + url.PathEscape(args[0])
			if err := c.Get(cmd.Context(), path, nil, &p); err != nil {
				return err
			}
			if err := f.follow(cmd, c, path, &p); err != nil {
				return err
			}
			if f.output == "table" {
				showJob(cmd.OutOrStdout(), p)
			}
			return outcome(p)
		}),
	}
}

// outcome is errSilent where a job did not do what was asked for. A job that only
// recorded has done so only if it was submitted as a dry run.
func outcome(p web.JobPage) error {
	switch {
	case p.State == jobs.Succeeded, p.State == jobs.Skipped, p.State == jobs.Shadowed && p.Rule == "" && p.Mode == "shadow":
		return nil
	}
	return errSilent
}

// follow prints each change of a job until it has ended.
func (f *serverFlags) follow(cmd *cobra.Command, c *apiclient.Client, path string, p *web.JobPage) error {
	seen := 0
	for {
		for _, t := range p.Job.History[min(seen, len(p.Job.History)):] {
			if f.output != "table" {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(t); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(fmt.Sprintf("%s %s %s %s", clock(t.At), t.State, t.Reason, printable.Line(t.Detail))))
		}
		seen = len(p.Job.History)
		if p.State.Terminal() {
			return nil
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(pollEvery):
		}
		*p = web.JobPage{}
		if err := c.Get(cmd.Context(), path, nil, p); err != nil {
			return err
		}
	}
}

// showNotice prints one notice of the bus.
func (f *serverFlags) showNotice(cmd *cobra.Command, n apiclient.Notice) {
	w := cmd.OutOrStdout()
	if f.output != "table" {
		fmt.Fprintln(w, string(n.Event))
		return
	}
	var e struct {
		Time time.Time
		Data struct {
			Job, Rule, Host, Uses, State, Reason, Detail, Error string
			Sensor                                              int
		}
	}
	if json.Unmarshal(n.Event, &e) != nil {
		return // not a notice of ours
	}
	d := e.Data
	parts := []string{clock(e.Time), d.Job, d.Rule, d.Host, d.Uses, d.State, d.Reason, firstOf(d.Error, d.Detail)}
	var line []string
	for _, p := range parts {
		if p != "" {
			line = append(line, printable.Line(p))
		}
	}
	fmt.Fprintln(w, strings.Join(line, "  "))
}
