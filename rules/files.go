package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"edrpipe/pkg/strictyaml"
)

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
