package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Paths lists the files that the paths name (see Load): those of rules, and with
// tests also those whose names end in _test.yaml.
func Paths(tests bool, paths ...string) ([]string, error) {
	var files []string
	for _, path := range paths {
		found, err := filesAt(path, func(name string) bool { return isRuleFile(name) || tests && isTestFile(name) })
		if err != nil {
			return nil, fmt.Errorf("%s: %s", path, strings.TrimSpace(readReason(err)))
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: there are no rule files: they end in .yaml or .yml", path)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
