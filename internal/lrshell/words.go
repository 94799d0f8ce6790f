package lrshell

import (
	"errors"
	"strings"
	"unicode"
)

var errOpenQuote = errors.New("a quote is not closed")

// split cuts a line into words. Quotes keep blanks together; a backslash is an
// ordinary character, for it separates the parts of Windows paths.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	started := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, started = r, true
		case unicode.IsSpace(r):
			if started {
				words = append(words, word.String())
				word.Reset()
			}
			started = false
		default:
			started = true
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, errOpenQuote
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}

// parse cuts a line into a command's words. A raw command keeps what follows its
// options as it was typed, quotes and all.
func parse(line string) ([]string, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	cmd, ok := lookup(name)
	if !ok || !cmd.Raw {
		return split(line)
	}
	words := []string{name}
	rest = strings.TrimSpace(rest)
	for strings.HasPrefix(rest, "-") {
		var option string
		option, rest = firstWord(rest)
		words = append(words, option)
		rest = strings.TrimSpace(rest)
		if option == "--" {
			break
		}
	}
	if rest != "" {
		words = append(words, rest)
	}
	return words, nil
}

// firstWord cuts the first blank-separated word off, quotes respected.
func firstWord(s string) (word, rest string) {
	var quote rune
	for i, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case quote == 0 && unicode.IsSpace(r):
			return unquote(s[:i]), s[i:]
		}
	}
	return unquote(s), ""
}

func unquote(s string) string { return strings.NewReplacer(`"`, "", "'", "").Replace(s) }

// quoteWord quotes a word for split, if it needs that.
func quoteWord(s string) string {
	switch {
	case s != "" && !strings.ContainsFunc(s, unicode.IsSpace) && !strings.ContainsAny(s, `"'`):
		return s
	case !strings.Contains(s, `"`):
		return `"` + s + `"`
	}
	return "'" + s + "'"
}
