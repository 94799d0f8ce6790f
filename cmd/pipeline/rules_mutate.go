package main

import (
	"context"
	"fmt"
	"strings"

	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
	"edrpipe/rules/mutate"
)

// mutation changes the rules and prints which changes no test notices.
func (t *ruleTester) mutation(ctx context.Context) error {
	set, tests, err := loadRules(t.errs, t.paths)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, test := range tests {
		if t.only.MatchString(test.Rule + "/" + test.Name) {
			wanted[test.Rule] = true
		}
	}
	if len(wanted) == 0 {
		return fmt.Errorf("there are no tests to run")
	}
	all := t.only.String() == ""
	changed := map[string]bool{}
	if t.changed != "" {
		if changed, err = changedRules(ctx, t.changed, t.paths); err != nil {
			return err
		}
	}
	report, err := mutate.Run(ctx, set, tests, func(r *rules.Rule) bool {
		return (all || wanted[r.ID]) && (t.changed == "" || changed[r.ID])
	})
	if err != nil {
		return err
	}
	return t.printMutation(report)
}

func (t *ruleTester) printMutation(report mutate.Report) error {
	refused := 0
	for _, r := range report.Rules {
		refused += r.Refused
		if len(r.Survivors) == 0 && !t.verbose {
			continue
		}
		fmt.Fprintf(t.out, "%s (%s:%d): %d of %d changes noticed by %s\n", r.ID, r.File, r.Line, r.Noticed, r.Mutants, counted(r.Tests, "test"))
		for _, s := range r.Survivors {
			fmt.Fprintf(t.out, "  not noticed: %s: %s\n", strictyaml.Path(s.Where), s.What)
			for line := range strings.Lines(s.Diff) {
				fmt.Fprintf(t.out, "    %s", line)
			}
		}
	}
	mutants, noticed := report.Count()
	fmt.Fprintf(t.out, "mutation score: %.1f %% (%d of %s noticed; %d more were refused by the checker)\n", report.Score(), noticed, counted(mutants, "change"), refused)
	if score := report.Score(); score < t.threshold {
		fmt.Fprintf(t.out, "%.1f %% is less than the threshold of %.1f %%\n", score, t.threshold)
		return errSilent
	}
	return nil
}
