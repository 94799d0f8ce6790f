package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/internal/config"
	"edrpipe/internal/service"
	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
)

func newRulesCheckCommand() *cobra.Command {
	var format string
	var requireTests bool
	var configuration string
	cmd := &cobra.Command{
		Use:   "check [flags] PATH…",
		Short: "Say everything that is wrong with rule files",
		Long: `Say everything that is wrong with rule files: files, directories, or patterns like
'rules/**/*.yaml'. Each problem comes as file:line:column: message, with the line,
a caret and what may have been meant. Nothing is contacted and nothing is run.

Rules whose condition has to run for every event of their types, because nothing
in it can be looked up, are told as warnings.

The exit status is 1 when there are errors, 0 when there are only warnings.`,
		Example: `  pipeline rules check examples/rules
  pipeline rules check --require-tests --format github rules/
  pipeline rules check --format sarif rules/ > rules.sarif`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := checkFormat("format", format, formatText, formatJSON, formatGitHub, formatSARIF); err != nil {
				return err
			}
			report := checkRules(paths, requireTests)
			if configuration != "" {
				if err := report.resolve(configuration, paths); err != nil {
					return err
				}
			}
			if err := report.print(cmd.OutOrStdout(), format); err != nil {
				return err
			}
			if report.Errors > 0 {
				return errSilent
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", formatText, "text, json, github (annotations of a workflow) or sarif")
	f.StringVarP(&configuration, "config", "c", "", "also look up the scripts, secrets, people and powers that rules and guards name, in this configuration")
	f.BoolVar(&requireTests, "require-tests", false, "a rule without a test is an error")
	return cmd
}

// checkReport is what checking found.
type checkReport struct {
	Rules    int                 `json:"rules"`
	Tests    int                 `json:"tests"`
	Errors   int                 `json:"errors"`
	Warnings int                 `json:"warnings"`
	Problems strictyaml.Problems `json:"problems"`
}

func checkRules(paths []string, requireTests bool) checkReport {
	c := rules.Check(requireTests, paths...)
	report := checkReport{Rules: c.Rules, Tests: c.Tests}
	report.add(c.Problems)
	return report
}

func (r *checkReport) add(found strictyaml.Problems) {
	r.Problems = append(append(strictyaml.Problems{}, r.Problems...), found...).Sort()
	r.Errors = r.Problems.Errors()
	r.Warnings = len(r.Problems) - r.Errors
}

// resolve adds the names that lead nowhere in a configuration. Rules with mistakes have
// none yet.
func (r *checkReport) resolve(configuration string, paths []string) error {
	cfg, _, err := config.Load(configuration, os.Environ(), nil)
	if err != nil {
		return err
	}
	if set, err := rules.Load(paths...); err == nil {
		r.add(service.DanglingIn(cfg, set))
	}
	return nil
}

func (r checkReport) print(w io.Writer, format string) error {
	switch format {
	case formatJSON:
		return printJSON(w, r)
	case formatSARIF:
		return r.writeSARIF(w)
	case formatGitHub:
		for _, p := range r.Problems {
			fmt.Fprintln(w, annotation(p))
		}
		return nil
	}
	for _, p := range r.Problems {
		fmt.Fprint(w, p.Text())
	}
	if r.Errors > 0 {
		fmt.Fprintf(w, "%s, %s\n", counted(r.Errors, "error"), counted(r.Warnings, "warning"))
		return nil
	}
	fmt.Fprintf(w, "%s, %s, %s: in order\n", counted(r.Rules, "rule"), counted(r.Tests, "test"), counted(r.Warnings, "warning"))
	return nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// annotation is a problem as a command of a GitHub workflow.
func annotation(p strictyaml.Problem) string {
	level := "error"
	if p.Warning {
		level = "warning"
	}
	at := "file=" + property(p.File)
	if p.Line > 0 {
		at += fmt.Sprintf(",line=%d", p.Line)
	}
	if p.Column > 0 {
		at += fmt.Sprintf(",col=%d,endColumn=%d", p.Column, p.Column+max(p.Length, 1))
	}
	message := p.Message
	if p.Hint != "" {
		message += "\n" + p.Hint
	}
	return fmt.Sprintf("::%s %s::%s", level, at, data.Replace(message))
}

// What separates the parts of a workflow command has to be escaped in them.
var data = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")

func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data.Replace(s))
}
