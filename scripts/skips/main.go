// Command skips prints the tests that `go test -json` reports as skipped, with the
// reason each gave, and fails when one is not on the list of allowed skips:
//
//	skips REPORT.json ALLOWED.txt
//
// A line of the list is "package.Test: why it may be skipped"; the test may end in
// * and stands for its subtests, too. A line that allows no skip of the report is
// no error: most machines have what the test needs.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: skips REPORT.json ALLOWED.txt")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}

func run(report, list string, out io.Writer) error {
	allowed, err := readAllowed(list)
	if err != nil {
		return err
	}
	f, err := os.Open(report)
	if err != nil {
		return err
	}
	defer f.Close()
	skipped, err := readSkips(f)
	if err != nil {
		return fmt.Errorf("%s: %w", report, err)
	}
	refused := 0
	for _, s := range skipped {
		mark := "allowed"
		if !slices.ContainsFunc(allowed, s.matches) {
			mark, refused = "NOT ALLOWED", refused+1
		}
		fmt.Fprintf(out, "%s: %s: %s\n", mark, s.name, s.reason)
	}
	fmt.Fprintf(out, "%d tests skipped, %d of them not allowed\n", len(skipped), refused)
	if refused > 0 {
		return fmt.Errorf("%d skips are not in %s: make the tests run here, or add them with a reason", refused, list)
	}
	return nil
}

// skip is one skipped test.
type skip struct{ name, reason string }

// matches reports whether a pattern of the list stands for the test.
func (s skip) matches(pattern string) bool {
	if ok, _ := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s.name, "/", "\x00")); ok {
		return true
	}
	return strings.HasPrefix(s.name, strings.TrimSuffix(pattern, "*")+"/")
}

// readAllowed reads the patterns of the list; blank lines and lines with # are
// comments.
func readAllowed(name string) ([]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for n, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, why, _ := strings.Cut(line, ": ")
		if strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("%s:%d: %q has no reason; write `package.Test: why`", name, n+1, line)
		}
		patterns = append(patterns, pattern)
	}
	return patterns, nil
}

// readSkips collects the skipped tests of a test2json stream. The reason is the
// last line that the test printed before it was skipped.
func readSkips(r io.Reader) ([]skip, error) {
	type line struct{ Action, Package, Test, Output string }
	reasons, passed, ran := map[string]string{}, 0, bufio.NewReader(r)
	var skips []skip
	for dec := json.NewDecoder(ran); ; {
		var l line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("not a report of go test -json: %w", err)
		}
		if l.Test == "" {
			continue
		}
		name := strings.TrimPrefix(l.Package, "edrpipe/") + "." + l.Test
		switch l.Action {
		case "output":
			if text := strings.TrimSpace(l.Output); text != "" && !strings.HasPrefix(text, "---") && !strings.HasPrefix(text, "===") {
				reasons[name] = text
			}
		case "pass":
			passed++
		case "skip":
			skips = append(skips, skip{name, reasons[name]})
		}
	}
	if passed == 0 {
		return nil, errors.New("no test passed: the report is not whole")
	}
	return skips, nil
}
