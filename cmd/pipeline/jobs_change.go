package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/web"
)

// newJobsChangeCommands are what people do to a job that exists.
func newJobsChangeCommands(f *serverFlags) []*cobra.Command {
	reason := func(why string) any { return map[string]string{"why": why} }
	return []*cobra.Command{
		jobChange(f, "cancel", "Cancel a job; what it has done stays done", "cancel", reason, "live"),
		jobChange(f, "retry", "Run an ended job again, as a new one; steps that succeeded are not repeated", "retry", reason, "ended"),
		jobChange(f, "undo", "Undo what a job did, where that is possible", "undo", reason, "succeeded", "failed"),
		newJobsResolveCommand(f),
		jobAnswer(f, "approve", "Say yes to what a job asks", true),
		jobAnswer(f, "deny", "Say no to what a job asks", false),
	}
}

// jobChange makes the command that posts to jobs/JOB/verb for each job. One that is
// refused keeps none of the others back.
func jobChange(f *serverFlags, name, short, verb string, body func(why string) any, states ...string) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:               name + " JOB...",
		Example:           fmt.Sprintf("  pipeline jobs %s 8f3a21c0 --why 'seen by the night shift'", name),
		Short:             short,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: f.completeJobs(states...),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			var errs []error
			for _, job := range args {
				var answer any
				err := c.Post(cmd.Context(), "jobs/"+url.PathEscape(job)+"/"+verb, body(why), &answer)
				if err == nil {
					err = f.print(cmd.OutOrStdout(), answer, func() { sayChange(cmd, name, job, answer) })
				}
				if err != nil && len(args) > 1 {
					err = fmt.Errorf("job %s: %w", job, err)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		}),
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, kept in the audit log")
	return cmd
}

// sayChange tells what came of it: a new job's id where there is one.
func sayChange(cmd *cobra.Command, name, job string, answer any) {
	w := cmd.OutOrStdout()
	switch a := answer.(type) {
	case map[string]any:
		if id, _ := a["id"].(string); id != "" && id != job {
			fmt.Fprintf(w, "%s %s: new job %s\n", name, job, id)
			return
		}
	case []any:
		for _, id := range a {
			fmt.Fprintf(w, "%s %s: new job %v\n", name, job, id)
		}
		return
	}
	fmt.Fprintf(w, "%s %s: done\n", name, job)
}

func newJobsResolveCommand(f *serverFlags) *cobra.Command {
	var outcome string
	body := func(why string) any { return web.Resolution{Outcome: outcome, Why: why} }
	cmd := jobChange(f, "resolve", "Say what became of a step whose outcome nobody could tell", "resolve", body, "unknown")
	cmd.Example = "  pipeline jobs resolve 8f3a21c0 --outcome happened --why 'the file is gone'"
	cmd.Flags().StringVar(&outcome, "outcome", "", "happened: go on; never: run it; settled: leave it")
	_ = cmd.MarkFlagRequired("outcome")                                                                                                                 // these two fail only
	_ = cmd.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions([]string{"happened", "never", "settled"}, cobra.ShellCompDirectiveNoFileComp)) // for a flag that is not there
	return cmd
}

func jobAnswer(f *serverFlags, name, short string, allow bool) *cobra.Command {
	var step, digest string
	body := func(why string) any { return web.Answer{Step: step, Allow: allow, Why: why, Digest: digest} }
	cmd := jobChange(f, name, short, "answer", body, "held")
	cmd.Flags().StringVar(&step, "step", "", "which step (default: whatever the job waits for)")
	cmd.Flags().StringVar(&digest, "call", "", "digest of the call that you looked at, as `jobs show` prints it: an answer to another call is refused")
	return cmd
}
