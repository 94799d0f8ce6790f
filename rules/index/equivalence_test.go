package index

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// long repeats the property with more rules and events a draw:
// go test ./rules/index -run Equivalent -long -rapid.checks=20000
var long = flag.Bool("long", false, "check the index against the plain loop with more rules and events")

// outcome is what the plain loop finds for one condition. One that hangs on the image
// counts as a match: it must be a candidate.
func outcome(p *expression.Program, e *events.Event) (matched, failed bool) {
	truth, _, err := p.Truth(e, e.Unknown()&events.FactImage)
	return truth != expression.False, err != nil
}

// The index is right if and only if every condition that is true of an event,
// or fails on it, is a candidate: before and after costs were learnt.
func TestEquivalentToThePlainLoop(t *testing.T) {
	rules, evs := 12, 40
	if *long {
		rules, evs = 60, 400
	}
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t, words: wordlist(t)}
		var programs []*expression.Program
		var sources []string
		var conditions []Condition
		for len(programs) < rules {
			src := g.boolean(3)
			p, err := eventScope.Condition(src)
			if err != nil {
				t.Fatalf("generated a condition that does not compile: %s: %v", src, err)
			}
			programs, sources = append(programs, p), append(sources, src)
			conditions = append(conditions, Condition{On: []string{"t"}, Tree: p.Node()})
		}
		x := New(conditions)
		class := x.Class("t", "k")
		if rapid.Bool().Draw(t, "learn at once") {
			class.learner.size = 3
		}
		for range evs {
			e := g.event()
			got := class.Candidates(nil, e)
			for i, p := range programs {
				matched, failed := outcome(p, e)
				if value, decided := Decided(p.Node()); decided && (failed || matched != value) {
					t.Fatalf("said to be %v for every event, but matched=%v failed=%v:\n  %s\n  event: %+v",
						value, matched, failed, sources[i], *e)
				}
				if (matched || failed) && !slices.Contains(got, i) {
					t.Fatalf("not a candidate though matched=%v failed=%v:\n  %s\n  F: %s\n  event: %+v",
						matched, failed, sources[i], x.describe(x.conds.tree(i)), *e)
				}
			}
		}
	})
}

// generator makes conditions and events over the same few words, so that they
// meet often.
type generator struct {
	t     *rapid.T
	words []string
}

var textFields = []string{"process.name", "process.command_line", "process.parent.name", "file.path", "event.kind", "net.remote_ip", "image.company"}
var intFields = []string{"process.pid", "net.remote_port", "process.segment", "feed.id"}

func wordlist(t *rapid.T) []string {
	letters := append([]string{"a", "B", "cmd", ".exe", `\`, "-enc", "K", " ", "power", "10.1.2.3"}, hostile...)
	words := []string{"", "a"}
	for range 8 {
		words = append(words, strings.Join(rapid.SliceOfN(rapid.SampledFrom(letters), 1, 4).Draw(t, "word"), ""))
	}
	return words
}

func (g *generator) pick(name string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, name)
}

func (g *generator) n(name string, max int) int { return rapid.IntRange(0, max).Draw(g.t, name) }

// literal is a word, or its lower or upper form, as expr-lang writes it.
func (g *generator) literal() string {
	w := g.pick("literal", g.words...)
	switch g.n("case", 3) {
	case 0:
		w = strings.ToLower(w)
	case 1:
		w = strings.ToUpper(w)
	}
	return strconv.Quote(strings.ToValidUTF8(w, "?"))
}

func (g *generator) list() string {
	var items []string
	for range 1 + g.n("items", 3) {
		items = append(items, g.literal())
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// text is a field, perhaps in functions.
func (g *generator) text() string {
	f := g.pick("field", textFields...)
	switch g.n("wrap", 9) {
	case 0:
		return "lower(" + f + ")"
	case 1:
		return "upper(" + f + ")"
	case 2:
		return "trim(" + f + ")"
	case 3:
		return "lower(trim(" + f + "))"
	case 4:
		return "upper(lower(" + f + "))"
	case 5:
		return "(" + f + ` ?? "")`
	case 6:
		return g.pick("part of path", "basename", "dirname", "program_of", "upper") + "(" + g.pick("inner", "basename", "lower", "trim") + "(" + f + "))"
	}
	return f
}

func (g *generator) boolean(depth int) string {
	if depth == 0 || g.n("leaf", 3) == 0 {
		return g.leaf()
	}
	a, b := func() string { return g.boolean(depth - 1) }, func() string { return g.boolean(depth - 1) }
	switch g.n("node", 7) {
	case 0, 1:
		return "(" + a() + " && " + b() + ")"
	case 2, 3:
		return "(" + a() + " || " + b() + ")"
	case 4:
		return "!(" + a() + ")"
	case 5:
		return "(" + a() + " ? " + b() + " : " + a() + ")"
	case 6:
		v := fmt.Sprintf("v%d_%d", depth, g.n("name", 1<<30))
		return fmt.Sprintf("(let %s = %s; (%s contains %s) || %s)", v, g.text(), v, g.literal(), a())
	}
	q := g.pick("quantifier", "any", "all", "none")
	return fmt.Sprintf("%s(%s, (%s %s #) || %s == #)", q, g.list(), g.text(), g.textOp(), g.text())
}

func (g *generator) textOp() string {
	return g.pick("operator", "==", "!=", "contains", "startsWith", "endsWith", "<")
}

func (g *generator) leaf() string {
	number := strconv.Itoa(g.n("number", 4))
	switch g.n("kind of leaf", 15) {
	case 0:
		return g.text() + " in " + g.list()
	case 1:
		return g.text() + " matches " + strconv.Quote(g.pattern())
	case 2:
		return fmt.Sprintf("%s %s %s", g.pick("int", intFields...), g.pick("order", "==", "!=", "<", "<=", ">", ">="), number)
	case 3:
		return fmt.Sprintf("feed.score %s %s", g.pick("order", "==", "<", ">="), g.pick("float", "0", "1.5", "2"))
	case 4:
		return g.pick("int", intFields...) + " in [1, 3]"
	case 5:
		return g.pick("int", intFields...) + " in 1..3"
	case 6:
		return g.pick("flag", "process.already_running", "net.proxy", "!net.proxy", "net.proxy == false", "image.signed", "!image.signed", "image.known")
	case 7: // fails on some events
		return g.pick("failing", "int(raw.a) == 1", "raw.a.b.c == 1", "5 % process.pid == 1", `raw.x > 1`, "raw.x == 2", "icontains(raw.x, 'a')")
	case 9:
		return fmt.Sprintf("%s(%s, %s)", g.pick("folding", "icontains", "ieq", "istartswith", "iendswith"), g.text(), g.literal())
	case 10:
		return fmt.Sprintf("iin(%s, %s)", g.text(), g.list())
	case 11:
		p := g.pick("word", g.words...) + g.pick("wildcard", "*", "?", "") + g.pick("word", g.words...) + "*"
		return fmt.Sprintf("%s(%s, %s)", g.pick("glob", "glob", "iglob"), g.text(), strconv.Quote(strings.ToValidUTF8(p, "?")))
	case 12:
		return g.pick("net", `cidr(net.remote_ip, "10.0.0.0/8")`, `cidr(net.remote_ip, "10.1.0.0/16", "fd00::/8")`, "is_private(net.remote_ip)", "!is_ip(net.remote_ip)")
	case 13:
		return "has(" + g.pick("anything", append(slices.Clone(intFields), append(textFields, "net.proxy", "feed.score")...)...) + ")"
	case 8:
		return g.literal() + " == " + g.text()
	}
	return g.text() + " " + g.textOp() + " " + g.literal()
}

// pattern is a regular expression over the words.
func (g *generator) pattern() string {
	quoted := func() string {
		w := strings.ToValidUTF8(g.pick("word", g.words...), "?")
		return strings.NewReplacer(`\`, `\\`, ".", `\.`, "\x00", `\x00`, "?", `\?`).Replace(w)
	}
	p := g.pick("flags", "", "(?i)", "(?i)^", "(?s)")
	for range 1 + g.n("parts", 2) {
		p += g.pick("part", quoted(), "(?:"+quoted()+")+", "(?:"+quoted()+")?", "(?:"+quoted()+"|"+quoted()+")",
			"[Kk]", "[a-c]", ".", "(?:"+quoted()+"){2}", `\b`, ".*")
	}
	return p
}

func (g *generator) event() *events.Event {
	e := &events.Event{}
	text := func() string {
		var s string
		for range g.n("words", 3) {
			w := g.pick("part of text", g.words...)
			switch g.n("case", 3) {
			case 0:
				w = strings.ToLower(w)
			case 1:
				w = strings.ToUpper(w)
			}
			s += w
		}
		return s
	}
	e.Event.Kind = text()
	e.Process.Name, e.Process.CommandLine, e.Process.Parent.Name = text(), text(), text()
	e.File.Path, e.Net.RemoteIP = text(), text()
	e.Process.PID, e.Net.RemotePort = g.n("pid", 4), g.n("port", 4)
	e.Process.Segment, e.Feed.ID = int64(g.n("segment", 4)), int64(g.n("feed", 4))
	e.Feed.Score = rapid.SampledFrom([]float64{0, 1, 1.5, 2}).Draw(g.t, "score")
	e.Process.AlreadyRunning, e.Net.Proxy = g.n("running", 1) == 1, g.n("proxy", 1) == 1
	if e.Image.Known = g.n("known", 1) == 1; e.Image.Known {
		e.Image.Company, e.Image.Signed = text(), g.n("signed", 1) == 1
	}
	if g.n("raw", 1) == 1 {
		e.Raw = map[string]any{"x": 2, "a": map[string]any{"b": 1}}
	}
	return e
}
