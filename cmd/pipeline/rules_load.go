package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
)

// loadRules loads rules and their tests, those in *_test.yaml files too, or
// prints every problem.
func loadRules(stderr io.Writer, paths []string) (*rules.Set, []*rules.Test, error) {
	set, err := rules.Load(paths...)
	if err != nil {
		return nil, nil, printed(stderr, err)
	}
	tests, err := set.LoadTests(paths...)
	if err != nil {
		return nil, nil, printed(stderr, err)
	}
	return set, append(slices.Clone(set.Source().Tests), tests...), nil
}

// printed prints problems as they are, and gives the error to end with.
func printed(stderr io.Writer, err error) error {
	var problems strictyaml.Problems
	if !errors.As(err, &problems) {
		return err
	}
	fmt.Fprintln(stderr, problems.Error())
	return errSilent
}

// The forms in which problems are printed.
const (
	formatText     = "text"
	formatJSON     = "json"
	formatGitHub   = "github"
	formatMarkdown = "markdown"
	formatSARIF    = "sarif"
)

func checkFormat(flag, format string, known ...string) error {
	if slices.Contains(known, format) {
		return nil
	}
	return &usageError{fmt.Errorf("--%s %s: want one of %s", flag, format, strings.Join(known, ", "))}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
