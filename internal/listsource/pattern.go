package listsource

import (
	"regexp"
	"strings"

	"edrpipe/rules/list"
)

// patternValue is a value that a pattern compares with, and what kind of list has such.
type patternValue struct {
	kind list.Kind
	text string
}

// comparison is one condition of a pattern: a path, = or IN, and one or several values.
var (
	comparison = regexp.MustCompile(`^\s*([a-z0-9-]+:[A-Za-z_.'0-9-]+)\s*(=|IN)\s*`)
	quoted     = regexp.MustCompile(`^\s*'((?:[^'\\]|\\.)*)'\s*`)
	unescape   = strings.NewReplacer(`\\`, `\`, `\'`, `'`)
)

// paths are the kinds of the values at paths of objects. Hashes that events do not carry
// are missing.
var paths = map[string]list.Kind{
	"file:hashes.MD5": list.Hash, "file:hashes.'MD5'": list.Hash, "file:hashes.'SHA-256'": list.Hash,
	"domain-name:value": list.Domain, "ipv4-addr:value": list.IP, "ipv6-addr:value": list.IP,
}

// patternValues returns the values of a STIX pattern that holds if any of them is met:
// comparisons by = or IN, joined by OR. It reports false for other patterns, as a list
// would match more than they do. Values of unknown paths are left out.
func patternValues(pattern string) (values []patternValue, ok bool) {
	rest := strings.TrimSpace(pattern)
	for {
		body, opened := strings.CutPrefix(rest, "[")
		if !opened {
			return nil, false
		}
		var some []patternValue
		if some, rest, ok = alternatives(body); !ok {
			return nil, false
		}
		values = append(values, some...)
		if rest = strings.TrimSpace(rest); rest == "" {
			return values, true
		}
		if rest, ok = strings.CutPrefix(rest, "OR"); !ok {
			return nil, false
		}
		rest = strings.TrimSpace(rest)
	}
}

// alternatives reads what stands between brackets, and returns what follows them.
func alternatives(text string) (values []patternValue, rest string, ok bool) {
	for {
		m := comparison.FindStringSubmatch(text)
		if m == nil {
			return nil, "", false
		}
		var words []string
		if words, text, ok = operands(m[2], text[len(m[0]):]); !ok {
			return nil, "", false
		}
		if kind, known := paths[m[1]]; known {
			for _, w := range words {
				values = append(values, patternValue{kind, w})
			}
		}
		if rest, ok = strings.CutPrefix(text, "]"); ok {
			return values, rest, true
		}
		if text, ok = strings.CutPrefix(text, "OR"); !ok {
			return nil, "", false
		}
	}
}

// operands reads the value after =, or those in parentheses after IN.
func operands(operator, text string) (words []string, rest string, ok bool) {
	if operator == "IN" {
		if text, ok = strings.CutPrefix(text, "("); !ok {
			return nil, "", false
		}
	}
	for {
		m := quoted.FindStringSubmatch(text)
		if m == nil {
			return nil, "", false
		}
		words, text = append(words, unescape.Replace(m[1])), text[len(m[0]):]
		if operator == "=" {
			return words, text, true
		}
		if rest, ok = strings.CutPrefix(text, ")"); ok {
			return words, strings.TrimLeft(rest, " \t"), true
		}
		if text, ok = strings.CutPrefix(text, ","); !ok {
			return nil, "", false
		}
	}
}
