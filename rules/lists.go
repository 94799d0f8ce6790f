package rules

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edrpipe/pkg/strictyaml"
	"edrpipe/rules/list"
)

// Lists is the lists of values that in_list looks into: the files lists/<name>.txt
// and lists/<name>.csv beside the rules, see package list. Lists are immutable.
type Lists struct {
	byName map[string]*list.List
	files  map[string]string // where each was read
	own    map[string]int    // how many entries each has of its file
}

func newLists() *Lists {
	return &Lists{byName: map[string]*list.List{}, files: map[string]string{}, own: map[string]int{}}
}

// Has implements expression.Lists.
func (l *Lists) Has(name, value string) bool {
	found, ok := l.byName[name]
	return ok && found.Has(value)
}

// Names implements expression.Lists.
func (l *Lists) Names() []string { return slices.Sorted(maps.Keys(l.byName)) }

// Kind implements expression.KindedLists.
func (l *Lists) Kind(name string) string {
	if found, ok := l.byName[name]; ok {
		return string(found.Kind)
	}
	return ""
}

// Odd implements expression.KindedLists.
func (l *Lists) Odd(name, kind string) (entry string, none bool) {
	if found, ok := l.byName[name]; ok {
		return found.Odd(list.Kind(kind))
	}
	return "", false
}

// List is the list with a name.
func (l *Lists) List(name string) (*list.List, bool) {
	found, ok := l.byName[name]
	return found, ok
}

// read adds the lists beside rules in dir.
func (l *Lists) read(dir string) strictyaml.Problems {
	dir = filepath.Join(dir, "lists")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // there are none
	}
	var problems strictyaml.Problems
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if name := strings.TrimSuffix(e.Name(), ext); name != "" && (strings.EqualFold(ext, ".txt") || strings.EqualFold(ext, ".csv")) {
			problems = append(problems, l.file(name, filepath.Join(dir, e.Name()))...)
		}
	}
	return problems
}

func (l *Lists) file(name, file string) strictyaml.Problems {
	switch other, taken := l.files[name]; {
	case taken && sameFile(other, file):
		return nil
	case taken:
		return strictyaml.Problems{{File: file, Message: fmt.Sprintf("the list %q is also in %s", name, other), Hint: "rename one of them"}}
	}
	l.files[name] = file
	data, err := os.ReadFile(file)
	if err != nil {
		return strictyaml.Problems{{File: file, Message: readReason(err)}}
	}
	found, problems := list.Parse(file, data)
	if found == nil {
		found, _ = list.Parse(name+".txt", []byte("# empty: ok\n")) // so that rules which name it are not wrong, too
	}
	l.byName[name], l.own[name] = found, found.Len()
	return problems
}

// extend adds values from elsewhere, by the names of lists. A name without a file is left
// out: what is fetched makes no list that the rules do not have.
func (l *Lists) extend(more map[string][]string) {
	for name, values := range more {
		if found, ok := l.byName[name]; ok && len(values) > 0 {
			l.byName[name] = found.With(values)
		}
	}
}

func sameFile(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

// minShrinkable is how many entries a list must have had before the loss of many of
// them is suspicious.
const minShrinkable = 4

// shrunk reports lists whose files lost more than the given part of the entries they had:
// most likely a file that was cut short.
func (l *Lists) shrunk(before *Lists, most float64) strictyaml.Problems {
	var problems strictyaml.Problems
	if before == nil {
		return nil
	}
	for _, name := range l.Names() {
		had, known := before.own[name]
		if !known || had < minShrinkable {
			continue
		}
		has := l.own[name]
		if lost := float64(had-has) / float64(had); lost > most {
			problems = append(problems, strictyaml.Problem{
				File:    l.files[name],
				Message: fmt.Sprintf("the list has %s, and had %d: more than %.0f%% are gone", entriesText(has), had, 100*most),
				Hint:    "lists.max_shrink in the configuration, or a restart, allows it",
			})
		}
	}
	return problems
}

// entriesText is a number of entries in words.
func entriesText(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
