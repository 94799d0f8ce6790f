package main

import (
	"context"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"edrpipe/rules"
)

func newRulesTestCommand() *cobra.Command {
	t := &ruleTester{}
	var pattern string
	var watch, mutated bool
	cmd := &cobra.Command{
		Use:   "test [flags] PATH…",
		Short: "Run the tests of rules",
		Long: `Run the tests of rules: those beside the rules, and those in *_test.yaml files.

Events go through matching, correlation and suppression on a clock of their own;
the chains of the jobs that come of it are evaluated with real conditions and
parameters and mocked results. Nothing is contacted, nothing is run. A test that
fails names the comparison that was false and the values that it saw.

With --guards a test can also state what guards do: a step that they hold is held until
a mock says approval: granted, one that they deny fails.

With --coverage it also tells what no test has shown: each arm of each and/or
that was never true or never false, each step that never ran.

With --mutate it changes one thing of a rule after another (each comparison,
connective, literal and item of a list, suppression, bounds of correlations, steps,
their if and their order), runs the rule's tests on it, and shows as a difference
each change that no test notices. The mutation score is the part that was noticed.
--changed takes only the rules that differ, or whose tests differ, from a commit of
git: main, HEAD~1; for the branch of a merge request, say, origin/main.

The exit status is 1 when a test fails or the coverage is or mutation
score is below --threshold.`,
		Example: `  pipeline rules test examples/rules
  pipeline rules test --coverage --threshold 90 --junit report.xml rules/
  pipeline rules test --mutate --threshold 90 rules/
  pipeline rules test --mutate --changed HEAD rules/
  pipeline rules test --watch --run 'kill-.*/word' rules/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			var err error
			if t.only, err = regexp.Compile(pattern); err != nil {
				return &usageError{fmt.Errorf("--run: %w", err)}
			}
			if t.changed != "" && !mutated {
				return &usageError{fmt.Errorf("--changed goes with --mutate")}
			}
			if cmd.Flags().Changed("threshold") && !mutated {
				t.coverage = true
			}
			t.paths, t.out, t.errs = paths, cmd.OutOrStdout(), cmd.ErrOrStderr()
			if mutated {
				return t.mutation(cmd.Context())
			}
			if !watch {
				return t.run(cmd.Context())
			}
			return rules.WatchFiles(cmd.Context(), paths, func() {
				fmt.Fprintln(t.out, "──")
				if err := t.run(cmd.Context()); err != nil && err != errSilent {
					fmt.Fprintln(t.errs, err)
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&pattern, "run", "", "only tests whose rule/name matches this regular expression")
	f.StringVar(&t.guards, "guards", "", "guards file that is asked about each step")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "name the tests that pass too, and what they ran")
	f.StringVar(&t.junit, "junit", "", "write a report in JUnit's form to this file")
	f.BoolVar(&t.coverage, "coverage", false, "tell what the tests do not show")
	f.Float64Var(&t.threshold, "threshold", 0, "fail when less than this percentage is covered, or noticed with --mutate; implies --coverage otherwise")
	f.BoolVar(&mutated, "mutate", false, "change the rules and show the changes that no test notices")
	f.StringVar(&t.changed, "changed", "", "with --mutate: only rules that differ, or whose tests do, from this commit of git")
	f.BoolVar(&watch, "watch", false, "run again whenever a file changes")
	cmd.MarkFlagsMutuallyExclusive("mutate", "watch")
	cmd.MarkFlagsMutuallyExclusive("mutate", "coverage")
	return cmd
}

// ruleTester runs tests and prints what they show.
type ruleTester struct {
	paths     []string
	only      *regexp.Regexp
	guards    string
	verbose   bool
	junit     string
	coverage  bool
	threshold float64
	changed   string // commit; empty: all rules
	out, errs io.Writer
}

func (t *ruleTester) run(ctx context.Context) error {
	set, tests, err := loadRules(t.errs, t.paths)
	if err != nil {
		return err
	}
	var admit func(ctx context.Context, p rules.Planned) (decision, reason string)
	if t.guards != "" {
		g, err := loadGuards(t.guards, rootOf(t.paths))
		if err != nil {
			return printed(t.errs, err)
		}
		admit = g.admit
	}
	coverage := rules.NewCoverage(set)
	var results []*rules.TestResult
	failed := 0
	for _, test := range tests {
		if !t.only.MatchString(test.Rule + "/" + test.Name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		result := test.RunGuarded(ctx, set, admit)
		results = append(results, result)
		coverage.Add(result)
		if !result.Passed() {
			failed++
		}
		t.print(result)
	}
	if t.junit != "" {
		if err := writeJUnit(t.junit, results); err != nil {
			return err
		}
	}
	fmt.Fprintf(t.out, "%s, %d failed\n", counted(len(results), "test"), failed)
	enough := t.printCoverage(coverage)
	if len(results) == 0 {
		return fmt.Errorf("there are no tests to run")
	}
	if failed > 0 || !enough {
		return errSilent
	}
	return nil
}

func (t *ruleTester) print(r *rules.TestResult) {
	if r.Passed() {
		if t.verbose {
			fmt.Fprintf(t.out, "ok    %s/%s\n", r.Test.Rule, r.Test.Name)
			for _, ran := range r.Ran {
				fmt.Fprintf(t.out, "      %s %s\n", ran.At, ran)
			}
		}
		return
	}
	fmt.Fprintf(t.out, "FAIL  %s/%s (%s:%d)\n", r.Test.Rule, r.Test.Name, r.Test.File, r.Test.Line)
	for _, f := range r.Failures {
		fmt.Fprintf(t.out, "      %s\n", f)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintln(t.out, r.Problems.Sort())
	}
}

// printCoverage reports whether there is enough.
func (t *ruleTester) printCoverage(c *rules.Coverage) bool {
	if !t.coverage {
		return true
	}
	for _, r := range c.Rules() {
		if len(r.Gaps) > 0 {
			fmt.Fprintf(t.out, "%s: %.1f %%\n", r.Rule, r.Percent)
		}
		for _, gap := range r.Gaps {
			fmt.Fprintf(t.out, "      %s\n", gap)
		}
	}
	percent := c.Percent()
	if percent < t.threshold {
		fmt.Fprintf(t.out, "coverage: %.1f %%, less than the threshold of %.1f %%\n", percent, t.threshold)
		return false
	}
	fmt.Fprintf(t.out, "coverage: %.1f %%\n", percent)
	return true
}
