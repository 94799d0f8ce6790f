package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"

	"edrpipe/rules"
)

// A report in the form that JUnit made common.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(file string, results []*rules.TestResult) error {
	report := junitSuites{}
	for _, r := range results {
		if n := len(report.Suites); n == 0 || report.Suites[n-1].Name != r.Test.Rule {
			report.Suites = append(report.Suites, junitSuite{Name: r.Test.Rule})
		}
		suite := &report.Suites[len(report.Suites)-1]
		c := junitCase{Class: r.Test.Rule, Name: r.Test.Name, File: r.Test.File, Line: r.Test.Line}
		if !r.Passed() {
			text := strings.Join(r.Failures, "\n")
			if len(r.Problems) > 0 {
				text += r.Problems.Error()
			}
			first, _, _ := strings.Cut(text, "\n")
			c.Failure = &junitFailure{Message: first, Text: text}
			suite.Failures++
		}
		suite.Tests++
		suite.Cases = append(suite.Cases, c)
	}
	data, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(file, append([]byte(xml.Header), append(data, '\n')...), 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
