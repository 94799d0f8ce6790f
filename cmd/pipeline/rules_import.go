package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"edrpipe/pkg/expression"
	"edrpipe/rules"
	"edrpipe/rules/sigma"
)

// newRulesImportCommand holds the importers; there is one.
func newRulesImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Convert rules of other products",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesImportSigmaCommand())
	return cmd
}

func newRulesImportSigmaCommand() *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{
		Use:   "sigma [flags] PATH…",
		Short: "Convert Sigma rules, and say which cannot be",
		Long: `Convert Sigma rules into a rule file, and print a table of what was converted and
what was refused.

What can be said exactly is converted; the rest is refused with the reason: a
field that the EDR's events do not have, a search over all fields, an
aggregation. Nothing is left out or approximated. A rule on the data of a
registry value (Details), which the EDR does not report, gets a step that reads
the value back from the endpoint, and decides then: it needs mode enforce to do
so. Correlations of rules in the same file are converted with them.

PATH is a Sigma file or a directory, of which every .yml and .yaml is read. The
rules are written in mode shadow, with one step that publishes what was found:
give them the steps and the mode that you want. With --out - the rules go to
standard output and the table to standard error.

The exit status is 1 when a path cannot be read or no rule could be converted.`,
		Example: `  pipeline rules import sigma sigma/rules/windows --out rules/sigma.yaml
  pipeline rules check rules/sigma.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			results, err := convertSigma(paths)
			if err != nil {
				return err
			}
			text, converted, err := renderSigma(results)
			if err != nil {
				return err
			}
			table := cmd.OutOrStdout()
			if out == "-" {
				table = cmd.ErrOrStderr()
				_, err = cmd.OutOrStdout().Write(text)
			} else if converted > 0 {
				err = writeRules(out, text, force)
			}
			if err != nil {
				return err
			}
			t := newTable(table, "~rule", "=title", "=result")
			for _, r := range results {
				t.AppendRow([]any{r.id(), r.Title, r.verdict()})
			}
			t.Render()
			fmt.Fprintf(table, "%d converted, %d refused\n", converted, len(results)-converted)
			if converted == 0 {
				return errSilent
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "sigma.yaml", "file to write; - is standard output")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	return cmd
}

// sigmaResult is what became of a Sigma rule, with the file that it stands in.
type sigmaResult struct {
	sigma.Result
	file string
}

func (r sigmaResult) id() string {
	if r.Err != nil {
		return filepath.Base(r.file)
	}
	return r.Rule.ID
}

func (r sigmaResult) verdict() string {
	var refusal *sigma.Refusal
	switch {
	case errors.As(r.Err, &refusal):
		return "refused: " + refusal.Reason
	case r.Err != nil:
		return "refused: " + r.Err.Error()
	}
	return "converted: on " + strings.Join(r.Rule.On, ", ")
}

// convertSigma converts every file that the paths name. Ids are made different
// where files of one name stand in several directories.
func convertSigma(paths []string) ([]sigmaResult, error) {
	files, err := sigmaFiles(paths)
	if err != nil {
		return nil, err
	}
	scope := expression.EventScope()
	used := map[string]int{}
	var results []sigmaResult
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		for _, r := range sigma.Convert(name, data) {
			if r.Rule != nil {
				if used[r.Rule.ID]++; used[r.Rule.ID] > 1 {
					r.Rule.ID = fmt.Sprintf("%s-again-%d", r.Rule.ID, used[r.Rule.ID])
				}
				if _, err := scope.Condition(r.Rule.When); err != nil { // beyond the limits of expressions
					r.Rule, r.Err = nil, err
				}
			}
			results = append(results, sigmaResult{r, file})
		}
	}
	return results, nil
}

func sigmaFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			ext := filepath.Ext(file)
			if err == nil && !entry.IsDir() && (file == path || ext == ".yml" || ext == ".yaml") {
				files = append(files, file)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// renderSigma is the rule file, and how many rules it has.
func renderSigma(results []sigmaResult) ([]byte, int, error) {
	var file struct {
		Rules []*sigma.Rule `yaml:"rules"`
	}
	for _, r := range results {
		if r.Err == nil {
			file.Rules = append(file.Rules, r.Rule)
		}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(file); err != nil {
		return nil, 0, fmt.Errorf("writing rules: %w", err)
	}
	return b.Bytes(), len(file.Rules), nil
}

// writeRules writes a rule file that loads, or none: it is tried under another
// name and then put in place at once.
func writeRules(name string, text []byte, force bool) error {
	if _, err := os.Stat(name); err == nil && !force {
		return fmt.Errorf("%s is there already: use --force to replace it", name)
	}
	dir, err := os.MkdirTemp(filepath.Dir(name), ".import-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	trial := filepath.Join(dir, "sigma.yaml")
	if err := os.WriteFile(trial, text, 0o644); err != nil {
		return err
	}
	if _, err := rules.Load(trial); err != nil {
		return fmt.Errorf("what was converted does not load, nothing is written: %w", err)
	}
	return os.Rename(trial, name)
}
