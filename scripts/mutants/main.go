// Command mutants plants known bugs, one at a time, and runs the tests that have to
// notice each:
//
//	mutants [-list FILE] [-changed REF] [TEXT...]
//
// With a REF only those run whose file or tests are in a package that differs from it;
// with TEXTs only those whose name or file contains one. The bugs are in mutants.yaml. A
// bug is planted by an overlay of the build: no file of the tree is changed.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Mutant is a bug and the tests that have to notice it.
type Mutant struct {
	Name     string `yaml:"name"` // what goes wrong
	File     string `yaml:"file"` // from the root of the module
	Old      string `yaml:"old"`  // is in the file once
	New      string `yaml:"new"`
	Test     string `yaml:"test"`     // package, from the root of the module; empty: the file's
	Run      string `yaml:"run"`      // -run of the tests; empty: all of the package
	Survives string `yaml:"survives"` // why no test can notice it; empty: one has to
}

func main() {
	list := flag.String("list", "scripts/mutants/mutants.yaml", "the bugs")
	changed := flag.String("changed", "", "only those of packages that differ from this commit")
	flag.Parse()
	if err := run(*list, *changed, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(list, changed string, texts []string, out io.Writer) error {
	all, err := read(list)
	if err != nil {
		return err
	}
	if changed != "" {
		dirs, err := changedDirs(changed)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(m Mutant) bool {
			return !slices.Contains(dirs, path.Dir(m.File)) && !slices.Contains(dirs, m.test())
		})
	}
	killed, wrong := 0, 0
	for _, m := range all {
		if len(texts) > 0 && !slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(m.Name+"\n"+m.File, t) }) {
			continue
		}
		noticed, err := m.try()
		switch {
		case err != nil:
			wrong++
			fmt.Fprintf(out, "BROKEN   %s: %s: %v\n", m.File, m.Name, err)
		case noticed:
			killed++
			fmt.Fprintf(out, "killed   %s: %s\n", m.File, m.Name)
		case m.Survives != "":
			fmt.Fprintf(out, "allowed  %s: %s: %s\n", m.File, m.Name, m.Survives)
		default:
			wrong++
			fmt.Fprintf(out, "SURVIVED %s: %s\n", m.File, m.Name)
		}
	}
	fmt.Fprintf(out, "%d killed, %d not\n", killed, wrong)
	if wrong > 0 {
		return fmt.Errorf("%d planted bugs were noticed by no test, or could not be planted", wrong)
	}
	return nil
}

func read(list string) (all []Mutant, err error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalWithOptions(text, &all, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	return all, nil
}

// changedDirs are the directories of files that differ from a commit, from the root.
func changedDirs(ref string) (dirs []string, err error) {
	names, err := exec.Command("git", "diff", "--name-only", ref, "--", "*.go").Output()
	if err != nil {
		return nil, fmt.Errorf("git diff %s: %w", ref, err)
	}
	for name := range strings.FieldsSeq(string(names)) {
		dirs = append(dirs, path.Dir(name))
	}
	return dirs, nil
}

// test is the directory of the tests, from the root.
func (m Mutant) test() string {
	if m.Test == "" {
		return path.Dir(m.File)
	}
	return m.Test
}

// mutated is the file's text with the bug.
func (m Mutant) mutated() ([]byte, error) {
	text, err := os.ReadFile(m.File)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(text, []byte(m.Old)); n != 1 {
		return nil, fmt.Errorf("%q is in the file %d times, want once", m.Old, n)
	}
	return bytes.Replace(text, []byte(m.Old), []byte(m.New), 1), nil
}

// try plants the bug and reports whether a test fails. An error means that the tests
// with the bug do not build.
func (m Mutant) try() (noticed bool, err error) {
	text, err := m.mutated()
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	file, err := filepath.Abs(m.File)
	if err != nil {
		return false, err
	}
	planted, overlay := filepath.Join(dir, "planted.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: planted}})
	if err != nil {
		return false, err
	}
	if err := errors.Join(os.WriteFile(planted, text, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return false, err
	}
	args := []string{"test", "-overlay", overlay, "-vet=off", "-timeout", "5m", "./" + m.test()}
	if m.Run != "" {
		args = append(args, "-run", m.Run)
	}
	output, err := exec.Command("go", args...).CombinedOutput()
	switch {
	case err == nil && bytes.Contains(output, []byte("[no tests to run]")):
		return false, fmt.Errorf("no test is called %s", m.Run)
	case err == nil:
		return false, nil
	case bytes.Contains(output, []byte("[build failed]")), bytes.Contains(output, []byte("[setup failed]")), !bytes.Contains(output, []byte("FAIL")):
		return false, fmt.Errorf("the tests do not build:\n%s", output)
	}
	return true, nil
}
