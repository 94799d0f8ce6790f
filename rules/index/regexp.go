package index

import (
	"regexp/syntax"
	"unicode/utf8"
)

// literals gives the condition that a text must contain certain literals, in
// canonical form, for a regular expression to match it. contains makes the
// condition for one literal.
func literals(pattern string, contains func(string) cond) cond {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return always
	}
	l := &literalFinder{contains: contains}
	c := l.find(re.Simplify())
	return allOf(c, l.flush())
}

// literalFinder walks a pattern from left to right, gathering adjacent runes.
type literalFinder struct {
	contains func(string) cond
	run      []byte
}

// flush ends a run of adjacent runes.
func (l *literalFinder) flush() cond {
	if len(l.run) == 0 {
		return always
	}
	c := l.contains(string(l.run))
	l.run = l.run[:0]
	return c
}

func (l *literalFinder) find(re *syntax.Regexp) cond {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			l.run = utf8.AppendRune(l.run, canonicalRune(r))
		}
		return always
	case syntax.OpCharClass:
		if r, ok := oneRune(re.Rune); ok {
			l.run = utf8.AppendRune(l.run, r)
			return always
		}
		return l.flush()
	case syntax.OpConcat:
		c := always
		for _, sub := range re.Sub {
			c = allOf(c, l.find(sub))
		}
		return c
	case syntax.OpCapture:
		return l.find(re.Sub[0])
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText,
		syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return always // matches no rune: what follows is adjacent to what went before
	}
	before := l.flush()
	return allOf(before, l.alone(re))
}

// alone is the condition of a part whose neighbours are not known to be adjacent.
func (l *literalFinder) alone(re *syntax.Regexp) cond {
	inner := func(sub *syntax.Regexp) cond {
		l := &literalFinder{contains: l.contains}
		c := l.find(sub)
		return allOf(c, l.flush())
	}
	switch re.Op {
	case syntax.OpNoMatch:
		return never
	case syntax.OpPlus:
		return inner(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return inner(re.Sub[0])
		}
	case syntax.OpAlternate:
		var arms []cond
		for _, sub := range re.Sub {
			arms = append(arms, inner(sub))
		}
		return anyOf(arms...)
	}
	return always
}

// oneRune reports whether a character class is one rune but for its case: [Pp].
func oneRune(ranges []rune) (rune, bool) {
	var one rune
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if hi-lo > 8 {
			return 0, false
		}
		for r := lo; r <= hi; r++ {
			c := canonicalRune(r)
			if i+int(r-lo) > 0 && c != one {
				return 0, false
			}
			one = c
		}
	}
	return one, len(ranges) > 0
}
