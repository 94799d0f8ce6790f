package rules

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// Lists is the lists of values that in_list looks into: the files
// lists/<name>.txt beside the rules, one value a line, # begins a comment. Case
// does not count. Lists are immutable.
type Lists struct {
	values map[string]map[string]bool
	files  map[string]string // where each was read
}

// Has implements expression.Lists.
func (l *Lists) Has(list, value string) bool {
	return value != "" && l.values[list][expression.Fold(value)]
}

// Names implements expression.Lists.
func (l *Lists) Names() []string { return slices.Sorted(maps.Keys(l.values)) }

// read adds the lists beside rules in dir.
func (l *Lists) read(dir string) strictyaml.Problems {
	files, err := filepath.Glob(filepath.Join(dir, "lists", "*.txt"))
	if err != nil {
		return nil // dir cannot be a pattern's part: it has none
	}
	var problems strictyaml.Problems
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		switch other, taken := l.files[name]; {
		case taken && sameFile(other, file):
			continue
		case taken:
			problems = append(problems, strictyaml.Problem{File: file, Message: fmt.Sprintf("the list %q is also in %s", name, other), Hint: "rename one of them"})
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, strictyaml.Problem{File: file, Message: readReason(err)})
			continue
		}
		l.values[name], l.files[name] = values(string(data)), file
	}
	return problems
}

func sameFile(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

func values(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			set[expression.Fold(line)] = true
		}
	}
	return set
}
