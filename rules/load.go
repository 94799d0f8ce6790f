package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"edrpipe/pkg/strictyaml"
)

// Load reads, checks and compiles rules: files, directories (every *.yaml and
// *.yml below them, but for *_test.yaml) and patterns such as rules/**/*.yaml.
// The set is whole or there is none: then the error is strictyaml.Problems with
// everything that is wrong in all of the files.
func Load(paths ...string) (*Set, error) {
	files, problems := ruleFiles(paths)
	if len(problems) > 0 {
		return nil, problems.Sort()
	}
	l := &loader{lists: &Lists{values: map[string]map[string]bool{}, files: map[string]string{}}}
	for _, dir := range directories(files) {
		l.problems = append(l.problems, l.lists.read(dir)...)
	}
	for _, file := range files {
		l.file(file)
	}
	l.compile()
	l.together()
	if err := l.problems.Err(); err != nil {
		return nil, l.problems.Sort()
	}
	return l.set(files), nil
}

// Source is where a Set came from. That of a set made by NewSet is empty.
type Source struct {
	Files    []string            // the rule files, and the lists beside them
	Digest   string              // of all rules and lists: the same for the same set
	Lists    *Lists              // what in_list looks into
	Warnings strictyaml.Problems // what is allowed and still worth knowing
	Tests    []*Test             // those beside the rules
}

// Source of the set.
func (s *Set) Source() Source { return s.source }

func (l *loader) set(files []string) *Set {
	var compiled []*Compiled
	var digests strings.Builder
	source := Source{Files: files, Lists: l.lists}
	for _, p := range l.parsed {
		compiled = append(compiled, p.compiled)
		source.Tests = append(source.Tests, p.tests()...)
		digests.WriteString(p.rule.Digest + "\n")
	}
	for _, name := range l.lists.Names() {
		source.Files = append(source.Files, l.lists.files[name])
		digests.WriteString(name + "\n" + strings.Join(slices.Sorted(maps.Keys(l.lists.values[name])), "\n"))
	}
	source.Digest = digestOf([]byte(digests.String()))
	s := NewSet(compiled)
	source.Warnings = append(l.problems, l.unindexed(s)...).Sort()
	s.source = source
	return s
}

// unindexed warns of rules whose condition runs for every event of their types.
func (l *loader) unindexed(s *Set) strictyaml.Problems {
	why := map[*Rule]string{}
	for _, u := range s.Unindexed() {
		why[u.Rule] = u.Why
	}
	var found strictyaml.Problems
	for _, p := range l.parsed {
		if reason, open := why[p.rule]; open && p.written.When != "" && p.written.When != "true" {
			problem := p.doc.At(p.path.Key("when"), "the condition runs for every event of its types: "+reason)
			problem.Warning = true
			found = append(found, problem)
		}
	}
	return found
}

// ruleFiles finds the files that the paths name, each once, in order.
func ruleFiles(paths []string) ([]string, strictyaml.Problems) {
	var files []string
	var problems strictyaml.Problems
	for _, path := range paths {
		found, err := filesAt(path, isRuleFile)
		switch {
		case err != nil:
			problems = append(problems, strictyaml.Problem{File: path, Message: readReason(err)})
		case len(found) == 0:
			problems = append(problems, strictyaml.Problem{File: path, Message: "there are no rule files", Hint: "rule files end in .yaml or .yml"})
		}
		files = append(files, found...)
	}
	if len(paths) == 0 {
		problems = append(problems, strictyaml.Problem{File: "rules", Message: "no rule files are named"})
	}
	slices.Sort(files)
	return slices.Compact(files), problems
}

// filesAt lists what a path names: itself, the files below it that are wanted,
// or what the pattern matches. Hidden files and directories are left out, and
// with them the copies that a ConfigMap keeps in ..data.
func filesAt(path string, wanted func(name string) bool) ([]string, error) {
	if _, err := os.Stat(path); err != nil && strings.ContainsAny(path, "*?[{") {
		return matchingFiles(path, wanted)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{filepath.Clean(path)}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file != path && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && wanted(entry.Name()):
			files = append(files, filepath.Clean(file))
		}
		return nil
	})
	return files, err
}

func matchingFiles(pattern string, wanted func(string) bool) ([]string, error) {
	found, err := doublestar.FilepathGlob(pattern, doublestar.WithFilesOnly())
	if err != nil {
		return nil, fmt.Errorf("the pattern is not valid")
	}
	return slices.DeleteFunc(found, func(file string) bool { return !wanted(filepath.Base(file)) }), nil
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

func isTestFile(name string) bool {
	return isYAML(name) && strings.HasSuffix(strings.TrimSuffix(strings.TrimSuffix(name, ".yaml"), ".yml"), "_test")
}

func isRuleFile(name string) bool { return isYAML(name) && !isTestFile(name) }

func directories(files []string) []string {
	var dirs []string
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// readReason is why a file cannot be read, without its name, which stands
// before it.
func readReason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// loader gathers the rules of all files.
type loader struct {
	lists    *Lists
	parsed   []*parsedRule
	problems strictyaml.Problems
}

// parsedRule is a rule with the place where it was written.
type parsedRule struct {
	doc      *strictyaml.Document
	path     strictyaml.Path
	written  *ruleDocument
	rule     *Rule
	compiled *Compiled
	problems strictyaml.Problems
}

func (l *loader) file(name string) {
	data, err := os.ReadFile(name)
	if err != nil {
		l.problems = append(l.problems, strictyaml.Problem{File: name, Message: readReason(err)})
		return
	}
	l.text(name, data)
}

func (l *loader) text(name string, data []byte) {
	file, problems := strictyaml.Parse(name, data)
	if len(problems) > 0 {
		l.problems = append(l.problems, problems...)
		return
	}
	if len(file.Documents) == 0 {
		l.problems = append(l.problems, strictyaml.Problem{File: name, Message: "the file is empty", Hint: "it must have rules, or be removed"})
	}
	for _, doc := range file.Documents {
		var written fileDocument
		found := doc.Decode(&written)
		if len(written.Rules) == 0 && len(found) == 0 {
			found = append(found, doc.At("rules", "there are no rules in this list"))
		}
		l.problems = append(l.problems, found...)
		for i := range written.Rules {
			l.add(doc, strictyaml.Path("rules").Index(i), &written.Rules[i])
		}
	}
}

func (l *loader) add(doc *strictyaml.Document, path strictyaml.Path, written *ruleDocument) {
	r := written.rule()
	r.File, r.Line = doc.Name(), doc.Line(path)
	l.parsed = append(l.parsed, &parsedRule{doc: doc, path: path, written: written, rule: r})
}

// compile checks and compiles every rule, on all processors.
func (l *loader) compile() {
	todo := make(chan *parsedRule)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			c := newCompiler(l.lists)
			for p := range todo {
				c.rule(p)
			}
		})
	}
	for _, p := range l.parsed {
		todo <- p
	}
	close(todo)
	workers.Wait()
	for _, p := range l.parsed {
		l.problems = append(l.problems, p.problems...)
	}
}

// together checks what concerns several rules: ids, and the rules that a
// correlation names.
func (l *loader) together() {
	first := map[string]*parsedRule{}
	var ids []string
	for _, p := range l.parsed {
		if other, taken := first[p.rule.ID]; taken && p.rule.ID != "" {
			problem := p.doc.At(p.path.Key("id"), fmt.Sprintf("the id %q is taken", p.rule.ID))
			problem.Hint = fmt.Sprintf("by the rule at %s:%d", other.rule.File, other.rule.Line)
			l.problems = append(l.problems, problem)
			continue
		}
		first[p.rule.ID] = p
		ids = append(ids, p.rule.ID)
	}
	for _, p := range l.parsed {
		if p.rule.Correlate == nil {
			continue
		}
		for i, id := range p.rule.Correlate.Rules {
			if first[id] == nil || id == p.rule.ID {
				problem := p.doc.At(p.path.Key("correlate").Key("rules").Index(i), fmt.Sprintf("there is no other rule %q", id))
				problem.Hint = didYouMean(id, ids)
				l.problems = append(l.problems, problem)
			}
		}
	}
}

// digestOf is a digest of what is given.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
