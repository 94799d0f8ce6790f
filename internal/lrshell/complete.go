package lrshell

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/reeflective/readline"

	"edrpipe/internal/printable"
)

// completionTime bounds how long a prompt waits for the endpoint.
const completionTime = 5 * time.Second

// complete suggests what the word at the cursor may become.
func (s *Shell) complete(ctx context.Context, line []rune, cursor int) readline.Completions {
	before := string(line[:cursor])
	word := lastWord(before)
	words, err := split(before[:len(before)-len(word)])
	if err != nil {
		return readline.Completions{}
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	values, described := s.candidates(ctx, words, unquote(word))
	comps := readline.CompleteValues(values...)
	if described {
		comps = readline.CompleteValuesDescribed(values...)
	}
	if goesOn(values, word) {
		comps = comps.NoSpace('\\', '/')
	}
	comps.PREFIX = word
	return comps
}

// goesOn reports whether the completed word can be completed further, that is, names a
// directory. The library removes the last character of such a completion when a space
// follows.
func goesOn(values []string, word string) bool {
	found := false
	for _, v := range values {
		if len(v) >= len(word) && strings.EqualFold(v[:len(word)], word) {
			if !strings.HasSuffix(v, `\`) && !strings.HasSuffix(v, "/") {
				return false
			}
			found = true
		}
	}
	return found
}

// lastWord is the word under way at the end of a line, quotes included.
func lastWord(line string) string {
	for rest := line; ; {
		rest = strings.TrimLeft(rest, " \t")
		word, after := cutWord(rest)
		if after == "" {
			return word
		}
		rest = after
	}
}

func cutWord(s string) (word, rest string) {
	_, rest = firstWord(s)
	return s[:len(s)-len(rest)], rest
}

// candidates returns whole words, each followed by its description if described.
func (s *Shell) candidates(ctx context.Context, words []string, word string) (values []string, described bool) {
	if len(words) == 0 {
		return commandNames(), true
	}
	cmd, ok := lookup(words[0])
	if !ok {
		return nil, false
	}
	arg := 0
	for _, w := range words[1:] {
		if !strings.HasPrefix(w, "-") {
			arg++
		}
	}
	if len(cmd.Complete) == 0 {
		return nil, false
	}
	switch cmd.Complete[min(arg, len(cmd.Complete)-1)] {
	case RemotePath:
		return s.remote(ctx, word, false), false
	case RemoteDir:
		return s.remote(ctx, word, true), false
	case LocalPath:
		return local(word), false
	case PID:
		return s.pids(ctx), true
	case CommandName:
		return commandNames(), true
	case RegistryVerb:
		for _, v := range regVerbs {
			values = append(values, v.name)
		}
	}
	return values, false
}

func commandNames() []string {
	var all []string
	for _, c := range commands() {
		all = append(all, c.Name, c.Summary)
	}
	return all
}

// remote lists the remote entries that word may become, directories with a final
// separator so that completion can go on below them.
func (s *Shell) remote(ctx context.Context, word string, dirs bool) []string {
	cut := strings.LastIndexAny(word, s.separator()+"/") + 1
	dir := s.asDir(s.abs(word[:cut]))
	if word[:cut] == "" {
		dir = s.cwd
	}
	entries, err := s.Endpoint.List(ctx, dir)
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range entries {
		if dirs && !e.Dir || printable.Line(e.Name) != e.Name {
			continue
		}
		value := word[:cut] + e.Name
		if e.Dir {
			// A quote stays open, so that completion can go on below.
			value = strings.TrimSuffix(quoteWord(value+s.separator()), `"`)
		} else {
			value = quoteWord(value)
		}
		all = append(all, value)
	}
	return all
}

func local(word string) []string {
	found, err := filepath.Glob(word + "*")
	if err != nil {
		return nil
	}
	for i, name := range found {
		if fi, err := os.Stat(name); err == nil && fi.IsDir() {
			name += "/"
		}
		found[i] = quoteWord(name)
	}
	return found
}

func (s *Shell) pids(ctx context.Context) []string {
	processes, err := s.Endpoint.Processes(ctx)
	if err != nil {
		return nil
	}
	var all []string
	for _, p := range processes {
		all = append(all, strconv.Itoa(p.PID), printable.Line(p.Path))
	}
	return all
}
