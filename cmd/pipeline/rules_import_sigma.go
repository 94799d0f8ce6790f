package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"edrpipe/rules"
	"edrpipe/rules/sigma"
)

// sigmaImport is the flags of one import.
type sigmaImport struct {
	out, format             string
	force, update, narrower bool
}

// sigmaReport is what became of the rules, as JSON prints it.
type sigmaReport struct {
	Rules     []sigmaLine   `json:"rules"`
	Converted int           `json:"converted"`
	Refused   int           `json:"refused"`
	Reasons   []sigmaReason `json:"reasons"` // of refusals, the most frequent first
	Kept      []string      `json:"kept,omitempty"`
	Lists     []string      `json:"lists,omitempty"` // that are for the operator to fill
}

type sigmaLine struct {
	File     string   `json:"file"`
	Title    string   `json:"title"`
	ID       string   `json:"id,omitempty"` // of the rule that it became
	On       []string `json:"on,omitempty"`
	Narrower []string `json:"narrower,omitempty"` // what was left out
	Refused  string   `json:"refused,omitempty"`
}

type sigmaReason struct {
	Reason string `json:"reason"`
	Rules  int    `json:"rules"`
}

func (in *sigmaImport) run(cmd *cobra.Command, paths []string) error {
	switch {
	case in.update && in.out == "-":
		return &usageError{errors.New("--update needs the file that it updates: --out FILE")}
	case in.update && in.force:
		return &usageError{errors.New("--force replaces what --update keeps: choose one")}
	}
	if err := checkFormat("format", in.format, "table", "json"); err != nil {
		return err
	}
	files, results, err := convertSigma(paths, sigma.Options{Narrower: in.narrower})
	if err != nil {
		return err
	}
	report := reportSigma(files, results)
	var made []*sigma.Rule
	for _, r := range results {
		if r.Err == nil {
			made = append(made, r.Rule)
		}
	}
	if report.Kept, report.Lists, err = in.write(cmd.OutOrStdout(), made); err != nil {
		return err
	}
	table := cmd.OutOrStdout()
	if in.out == "-" {
		table = cmd.ErrOrStderr()
	}
	if err := in.print(table, report); err != nil {
		return err
	}
	if report.Converted == 0 {
		return errSilent
	}
	return nil
}

// convertSigma converts every file that the paths name.
func convertSigma(paths []string, o sigma.Options) (files []string, results []sigma.Result, err error) {
	if files, err = sigmaFiles(paths); err != nil {
		return nil, nil, err
	}
	read := make([]sigma.File, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		read[i] = sigma.File{Name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), Data: data}
	}
	results = sigma.ConvertAll(read, o)
	for i := range results {
		if r := &results[i]; r.Rule != nil {
			if err := r.Rule.Check(); err != nil { // beyond the limits of expressions
				r.Rule, r.Err = nil, err
			}
		}
	}
	return files, results, nil
}

func reportSigma(files []string, results []sigma.Result) sigmaReport {
	report := sigmaReport{Rules: []sigmaLine{}, Reasons: []sigmaReason{}}
	count := map[string]int{}
	for _, r := range results {
		line := sigmaLine{File: files[r.File], Title: r.Title}
		if r.Err == nil {
			report.Converted++
			line.ID, line.On, line.Narrower = r.Rule.ID, r.Rule.On, r.Rule.Source.Narrower
		} else {
			report.Refused++
			line.Refused = r.Err.Error()
			if refusal := (*sigma.Refusal)(nil); errors.As(r.Err, &refusal) {
				line.Refused = refusal.Reason
			}
			count[line.Refused]++
		}
		report.Rules = append(report.Rules, line)
	}
	for reason, n := range count {
		report.Reasons = append(report.Reasons, sigmaReason{reason, n})
	}
	slices.SortFunc(report.Reasons, func(a, b sigmaReason) int {
		return cmp.Or(cmp.Compare(b.Rules, a.Rules), cmp.Compare(a.Reason, b.Reason))
	})
	return report
}

func (in *sigmaImport) print(w io.Writer, report sigmaReport) error {
	if in.format == "json" {
		return printJSON(w, report)
	}
	t := newTable(w, "~rule", "=title", "=result")
	for _, r := range report.Rules {
		switch {
		case r.Refused != "":
			t.AppendRow([]any{filepath.Base(r.File), r.Title, "refused: " + r.Refused})
		case len(r.Narrower) > 0:
			t.AppendRow([]any{r.ID, r.Title, "narrower, without " + strings.Join(r.Narrower, ", ") + ": on " + strings.Join(r.On, ", ")})
		default:
			t.AppendRow([]any{r.ID, r.Title, "converted: on " + strings.Join(r.On, ", ")})
		}
	}
	t.Render()
	if len(report.Reasons) > 0 {
		t = newTable(w, "rules", "=refused because")
		for _, r := range report.Reasons {
			t.AppendRow([]any{r.Rules, r.Reason})
		}
		t.Render()
	}
	for _, line := range report.Kept {
		fmt.Fprintf(w, "left as it was: %s\n", line)
	}
	for _, name := range report.Lists {
		fmt.Fprintf(w, "fill the list %s: the rules that look into it match nothing before\n", name)
	}
	_, err := fmt.Fprintf(w, "%d converted, %d refused\n", report.Converted, report.Refused)
	return err
}

// write writes the rule file and its lists, each whole or not at all.
func (in *sigmaImport) write(stdout io.Writer, made []*sigma.Rule) (kept, fill []string, err error) {
	lists := map[string][]string{}
	for _, r := range made {
		maps.Copy(lists, r.Lists)
	}
	for name, values := range lists {
		if values == nil {
			fill = append(fill, name)
		}
	}
	slices.Sort(fill)
	text, kept, err := in.text(made)
	switch {
	case err != nil:
		return nil, nil, err
	case in.out == "-":
		_, err = stdout.Write(text)
		return nil, fill, err
	case len(made) == 0:
		return nil, nil, nil
	}
	return kept, fill, writeRules(in.out, text, lists, in.force || in.update)
}

// text is the rule file; kept names what an update leaves as it was.
func (in *sigmaImport) text(made []*sigma.Rule) (text []byte, kept []string, err error) {
	var file yaml.Node
	if in.update {
		data, err := os.ReadFile(in.out)
		if err != nil {
			return nil, nil, fmt.Errorf("--update: %w", err)
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			return nil, nil, fmt.Errorf("--update: %s: %w", in.out, err)
		}
		if kept, err = sigma.Update(&file, made); err != nil {
			return nil, nil, fmt.Errorf("--update: %s: %w", in.out, err)
		}
	} else if err := file.Encode(map[string]any{"rules": made}); err != nil {
		return nil, nil, fmt.Errorf("writing rules: %w", err)
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&file); err != nil {
		return nil, nil, fmt.Errorf("writing rules: %w", err)
	}
	return b.Bytes(), kept, nil
}

// writeRules writes a rule file that loads with the lists beside it, or none: it is
// tried in another directory and then put in place at once. A list of a placeholder
// that is there stays as it is.
func writeRules(name string, text []byte, lists map[string][]string, replace bool) error {
	if _, err := os.Stat(name); err == nil && !replace {
		return fmt.Errorf("%s is there already: use --force to replace it, or --update", name)
	}
	dir, err := os.MkdirTemp(filepath.Dir(name), ".import-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	there := filepath.Join(filepath.Dir(name), "lists")
	if _, err := os.Stat(there); err == nil { // that the operator's additions may look into
		if err := os.CopyFS(filepath.Join(dir, "lists"), os.DirFS(there)); err != nil {
			return err
		}
	}
	var written []string
	for list, values := range lists {
		file := filepath.Join("lists", list+".txt")
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil && values == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Join(dir, "lists"), 0o755); err != nil {
			return err
		}
		content := "# type: text\n# empty: ok\n" + strings.Join(append(values, ""), "\n")
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			return err
		}
		written = append(written, file)
	}
	trial := filepath.Join(dir, "sigma.yaml")
	if err := os.WriteFile(trial, text, 0o644); err != nil {
		return err
	}
	if _, err := rules.Load(trial); err != nil {
		return fmt.Errorf("what was converted does not load, nothing is written: %w", err)
	}
	if len(written) > 0 {
		if err := os.MkdirAll(there, 0o755); err != nil {
			return err
		}
	}
	for _, file := range written {
		if err := os.Rename(filepath.Join(dir, file), filepath.Join(filepath.Dir(name), file)); err != nil {
			return err
		}
	}
	return os.Rename(trial, name)
}
