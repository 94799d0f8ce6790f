package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
)

// completeWithin bounds how long a shell waits for words.
const completeWithin = 2 * time.Second

// completeJobs offers the ids of jobs in the states, for shells.
func (f *serverFlags) completeJobs(states ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		c, err := f.client()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		var words []string
		for _, state := range states {
			var page web.JobsPage
			if c.Get(ctx, "jobs", url.Values{"state": {state}}, &page) != nil {
				break // a shell has no place for errors
			}
			for _, j := range page.Jobs {
				if strings.HasPrefix(j.ID, begun) {
					words = append(words, fmt.Sprintf("%s\t%s %s on %s", j.ID, j.State, firstOf(j.Rule, "by "+j.By), firstOf(printable.Line(j.Host), fmt.Sprint(j.Sensor))))
				}
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeRules offers the names of the rules in force.
func (f *serverFlags) completeRules(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	c, err := f.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	var page web.RulesPage
	if c.Get(ctx, "rules", nil, &page) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp // a shell has no place for errors
	}
	var words []string
	for _, r := range page.Rules {
		if strings.HasPrefix(r.ID, begun) {
			words = append(words, r.ID+"\t"+r.Title)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completeArtifacts offers the ids of collected files.
func (f *serverFlags) completeArtifacts(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	c, err := f.client()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	var found []actions.Artifact
	var words []string
	if c.Get(ctx, "artifacts", nil, &found) == nil { // a shell has no place for errors
		for _, a := range found {
			if strings.HasPrefix(a.ID, begun) {
				words = append(words, fmt.Sprintf("%s\t%s on %s", a.ID, printable.Line(a.Path), a.Sensor))
			}
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completeNoFiles keeps shells from offering files to commands that take no
// arguments.
func completeNoFiles(cmd *cobra.Command) {
	if cmd.Args != nil && cmd.ValidArgsFunction == nil && cmd.Args(cmd, nil) == nil && cmd.Args(cmd, []string{"x"}) != nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		completeNoFiles(sub)
	}
}
