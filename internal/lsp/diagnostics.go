package lsp

import (
	"context"
	"regexp"
	"strings"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"edrpipe/pkg/strictyaml"
)

// diagnose checks a file and publishes what is wrong with it.
func (s *server) diagnose(ctx context.Context, file string) error {
	found := s.diagnostics(file)
	return s.conn.Notify(ctx, protocol.MethodTextDocumentPublishDiagnostics,
		protocol.PublishDiagnosticsParams{URI: uri.File(file), Diagnostics: found})
}

func (s *server) diagnostics(file string) []protocol.Diagnostic {
	t := s.work.text(file)
	found := []protocol.Diagnostic{}
	for _, p := range s.work.bench.Check(file, []byte(t.String()), others{s.work, file}) {
		if p.File == file {
			found = append(found, diagnostic(t, p))
		}
	}
	return found
}

func diagnostic(t *text, p strictyaml.Problem) protocol.Diagnostic {
	line := max(p.Line-1, 0)
	from := t.runes(line, max(p.Column-1, 0))
	to := t.runes(line, max(p.Column-1, 0)+max(p.Length, 1))
	d := protocol.Diagnostic{
		Range: t.span(line, from, to), Severity: protocol.DiagnosticSeverityError, Source: "edrpipe", Message: p.Message,
	}
	if p.Warning {
		d.Severity = protocol.DiagnosticSeverityWarning
	}
	if p.Hint != "" {
		d.Message += "\n" + p.Hint
	}
	return d
}

// meant is what a message suggests.
var meant = regexp.MustCompile(`did you mean "?([^"?(]+)[^?]*\?`)

// quickFixes are the suggestions of the diagnostics in a range, as edits.
func (s *server) quickFixes(p protocol.CodeActionParams) []protocol.CodeAction {
	file := fileOf(p.TextDocument.URI)
	t := s.work.text(file)
	actions := []protocol.CodeAction{}
	for _, d := range s.diagnostics(file) {
		m := meant.FindStringSubmatch(d.Message)
		if m == nil || d.Range.Start.Line > p.Range.End.Line || d.Range.End.Line < p.Range.Start.Line {
			continue
		}
		edit := protocol.TextEdit{Range: d.Range, NewText: suggested(t, d.Range, m[1])}
		actions = append(actions, protocol.CodeAction{
			Title: "Change to " + m[1], Kind: protocol.QuickFix, IsPreferred: true,
			Diagnostics: []protocol.Diagnostic{d},
			Edit:        &protocol.WorkspaceEdit{Changes: map[protocol.DocumentURI][]protocol.TextEdit{p.TextDocument.URI: {edit}}},
		})
	}
	return actions
}

// suggested is a suggestion as it stands in the place of what is wrong: with its
// quotes, and without the path before a field that alone is wrong.
func suggested(t *text, r protocol.Range, word string) string {
	line := t.line(int(r.Start.Line))
	from, to := t.offset(r.Start), t.offset(r.End)
	old := line[from:max(from, to)]
	if !strings.Contains(old, ".") && from > 0 && line[from-1] == '.' {
		word = word[strings.LastIndex(word, ".")+1:]
	}
	if len(old) >= 2 && strings.ContainsRune("\"'`", rune(old[0])) && old[len(old)-1] == old[0] {
		return old[:1] + word + old[:1]
	}
	return word
}
