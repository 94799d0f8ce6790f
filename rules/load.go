package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// Load reads, checks and compiles rules: files, directories (every *.yaml and
// *.yml below them, but for *_test.yaml) and patterns such as rules/**/*.yaml.
// The set is whole or there is none: then the error is strictyaml.Problems with
// everything that is wrong in all of the files.
func Load(paths ...string) (*Set, error) {
	return loadWith(paths, nil)
}

// loadWith is Load with values from elsewhere in the lists, by their names.
func loadWith(paths []string, more map[string][]string) (*Set, error) {
	l, files := load(paths, more)
	if err := l.problems.Err(); err != nil {
		return nil, l.problems.Sort()
	}
	return l.set(files), nil
}

// load reads and compiles what the paths name; what is wrong is in the loader's
// problems.
func load(paths []string, more map[string][]string) (l *loader, files []string) {
	l = &loader{lists: newLists()}
	files, l.problems = ruleFiles(paths)
	for _, dir := range directories(files) {
		l.problems = append(l.problems, l.lists.read(dir)...)
	}
	l.lists.extend(more)
	l.read(files)
	l.compile()
	l.together(noRules{})
	return l, files
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
		found := l.lists.byName[name]
		digests.WriteString(name + " " + string(found.Kind) + "\n" + strings.Join(found.Entries(), "\n"))
	}
	source.Digest = digestOf([]byte(digests.String()))
	s := NewSet(compiled)
	source.Warnings = append(l.problems, l.unindexed(s)...).Sort()
	s.source = source
	return s
}

// activity are the kinds of events that sensors send all the time. Of the others, hits
// and alerts among them, there are so few that a rule may look at each.
var activity = events.NewKindSet(events.ProcessStart, events.ProcessEnd, events.ChildProcess, events.ModuleLoad,
	events.FileChange, events.Registry, events.Network, events.CrossProcess, events.ScriptLoad)

func asksActivity(on string) bool { return slices.ContainsFunc(kindsOf(on), activity.Has) }

// unindexed warns of rules whose condition runs for every event of types that sensors
// send all the time.
func (l *loader) unindexed(s *Set) strictyaml.Problems {
	why := map[*Rule]string{}
	for _, u := range s.Unindexed() {
		why[u.Rule] = u.Why
	}
	var found strictyaml.Problems
	for _, p := range l.parsed {
		if reason, open := why[p.rule]; open && slices.ContainsFunc(p.rule.On, asksActivity) && p.written.When != "" && p.written.When != "true" {
			problem := p.doc.At(p.path.Key("when"), "the condition runs for every event of its types: "+reason)
			problem.Warning = true
			found = append(found, problem)
		}
	}
	return found
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

// read reads the files, on all processors.
func (l *loader) read(files []string) {
	parts := make([]loader, len(files))
	spread(len(files), func(numbers iter.Seq[int]) {
		for i := range numbers {
			parts[i].file(files[i])
		}
	})
	for _, part := range parts {
		l.parsed = append(l.parsed, part.parsed...)
		l.problems = append(l.problems, part.problems...)
	}
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
	var memo expression.Memo
	spread(len(l.parsed), func(numbers iter.Seq[int]) {
		c := newCompiler(l.lists, &memo)
		for i := range numbers {
			c.rule(l.parsed[i])
		}
	})
	for _, p := range l.parsed {
		l.problems = append(l.problems, p.problems...)
	}
}

// spread runs a worker on each processor and waits for them. They divide the
// numbers below n among them.
func spread(n int, worker func(numbers iter.Seq[int])) {
	var taken atomic.Int64
	numbers := func(yield func(int) bool) {
		for i := taken.Add(1); i <= int64(n) && yield(int(i-1)); i = taken.Add(1) {
		}
	}
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() { worker(numbers) })
	}
	workers.Wait()
}

// digestOf is a digest of what is given.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
