package main

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"edrpipe"
)

// Where pages show commands: fenced blocks, and code in a line of text.
var (
	fenced    = regexp.MustCompile("(?ms)^ *```[a-z ]*\n(.*?)^ *```")
	inLine    = regexp.MustCompile("`+([^`]+)`+")
	aCommand  = regexp.MustCompile(`(?m)(?:^|[\s(|;]|\./|\s/|\$\()pipeline ((?:[^\n|;&>#\\]|\\\n)+)`)
	aFlag     = regexp.MustCompile(`^--?([a-zA-Z][a-z0-9-]*)`)
	aWord     = regexp.MustCompile(`^[a-z][a-z-]*$`)
	heldApart = regexp.MustCompile(`'[^']*'|"[^"]*"`)
)

// TestCommandsOfThePagesExist: each command that a page shows, also in a sentence, has
// its subcommands and flags. What they do is shown by scripts/check-docs.sh.
func TestCommandsOfThePagesExist(t *testing.T) {
	t.Parallel()
	seen := 0
	err := fs.WalkDir(edrpipe.Documents, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".md" || name == "docs/cli.md" || name == "CHANGELOG.md" { // one is made of the commands, one speaks of former ones
			return err
		}
		text, err := fs.ReadFile(edrpipe.Documents, name)
		if err != nil {
			return err
		}
		for _, code := range codeOf(string(text)) {
			for _, m := range aCommand.FindAllStringSubmatch(code, -1) {
				seen++
				if wrong := unknownPart(strings.Fields(heldApart.ReplaceAllString(strings.ReplaceAll(m[1], "\\\n", " "), "TEXT"))); wrong != "" {
					t.Errorf("%s: `pipeline %s`: %s", name, strings.TrimSpace(m[1]), wrong)
				}
			}
		}
		return nil
	})
	if err != nil || seen < 200 {
		t.Errorf("%d commands were looked at, %v", seen, err)
	}
}

func codeOf(page string) []string {
	var all []string
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		all = append(all, m[1])
	}
	for _, m := range inLine.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		all = append(all, strings.ReplaceAll(m[1], "\n", " "))
	}
	return all
}

// unknownPart says what of a command does not exist.
func unknownPart(words []string) string {
	root := newRootCommand()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if cmd.HasSubCommands() && len(rest) > 0 && aWord.MatchString(rest[0]) && (cmd.Args == nil || cmd.Args(cmd, rest[:1]) != nil) {
		return "there is no command " + rest[0]
	}
	cmd.InitDefaultHelpFlag()
	for _, w := range rest {
		m := aFlag.FindStringSubmatch(w)
		if m == nil || strings.Contains(strings.Split(w, "=")[0], ".") { // any key of the configuration is a flag
			continue
		}
		known := cmd.Flag(m[1]) != nil
		if !strings.HasPrefix(w, "--") {
			known = cmd.Flags().ShorthandLookup(m[1][:1]) != nil || cmd.InheritedFlags().ShorthandLookup(m[1][:1]) != nil
		}
		if !known {
			return cmd.CommandPath() + " has no flag " + w
		}
	}
	return ""
}
