package manual

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// markdown reads what code hosts read. Tables are aligned by attributes, as the policy
// of the pages allows no styles in them; raw HTML is left out.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough, extension.Linkify, extension.TaskList),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
)

// render makes a page of Markdown.
func render(source []byte) (page, error) {
	ctx := parser.NewContext(parser.WithIDs(&ids{taken: map[string]bool{}}))
	doc := markdown.Parser().Parse(text.NewReader(source), parser.WithContext(ctx))
	var p page
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if !ok {
			continue
		}
		id, ok := h.AttributeString("id")
		if !ok {
			continue
		}
		words := words(h, source)
		p.headings = append(p.headings, heading{id: string(id.([]byte)), text: words})
		if p.title == "" {
			p.title = words
		}
	}
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, doc); err != nil {
		return p, err
	}
	p.body = template.HTML(out.String()) //nolint:gosec // made of files in the binary, without raw HTML
	return p, nil
}

// words are those of a node, without marks.
func words(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Value(source))
			continue
		}
		b.WriteString(words(c, source))
	}
	return b.String()
}

// ids names headings as code hosts do, so that links with anchors hold in both places.
type ids struct {
	taken map[string]bool
}

// Generate implements parser.IDs.
func (s *ids) Generate(value []byte, _ ast.NodeKind) []byte {
	id := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '-':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, strings.TrimSpace(string(value)))
	unique := id
	for n := 1; s.taken[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", id, n)
	}
	s.taken[unique] = true
	return []byte(unique)
}

// Put implements parser.IDs.
func (s *ids) Put(value []byte) { s.taken[string(value)] = true }
