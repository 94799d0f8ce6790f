package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"edrpipe/rules/format"
)

// Serve answers a client over a stream until it says exit, the stream ends or the
// context does. Requests are answered one after another, in their order.
func Serve(ctx context.Context, stream io.ReadWriteCloser, version string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn := jsonrpc2.NewConn(jsonrpc2.NewStream(stream))
	s := &server{conn: conn, version: version, work: newWorkspace(""), exit: cancel}
	conn.Go(ctx, s.handle)
	select {
	case <-conn.Done():
	case <-ctx.Done():
		_ = conn.Close()
		<-conn.Done()
	}
	if err := conn.Err(); err != nil && !s.exiting && ctx.Err() == nil {
		return fmt.Errorf("language server: %w", err)
	}
	return nil
}

// server is one client's. Its methods run one at a time.
type server struct {
	conn    jsonrpc2.Conn
	version string
	work    *workspace
	exit    func()
	exiting bool
}

func (s *server) handle(ctx context.Context, reply jsonrpc2.Replier, req jsonrpc2.Request) (err error) {
	defer func() {
		if r := recover(); r != nil { // a bug here must not take the editor's server away
			err = reply(ctx, nil, fmt.Errorf("%s: %v", req.Method(), r))
		}
	}()
	answer := answers[req.Method()]
	if answer == nil {
		if _, call := req.(*jsonrpc2.Call); !call {
			return nil // a notification that we do not know
		}
		return reply(ctx, nil, jsonrpc2.ErrMethodNotFound)
	}
	result, err := answer(s, ctx, req.Params())
	return reply(ctx, result, err)
}

// handler answers a request, or takes a notification.
type handler func(s *server, ctx context.Context, params json.RawMessage) (any, error)

var answers = map[string]handler{
	protocol.MethodInitialize:  with((*server).initialize),
	protocol.MethodInitialized: nothing,
	protocol.MethodShutdown:    nothing,
	protocol.MethodExit: func(s *server, _ context.Context, _ json.RawMessage) (any, error) {
		s.exiting = true
		s.exit()
		return nil, nil
	},
	protocol.MethodTextDocumentDidOpen:   with((*server).didOpen),
	protocol.MethodTextDocumentDidChange: with((*server).didChange),
	protocol.MethodTextDocumentDidClose:  with((*server).didClose),
	protocol.MethodTextDocumentDidSave:   nothing,
	protocol.MethodWorkspaceDidChangeWatchedFiles: func(s *server, ctx context.Context, _ json.RawMessage) (any, error) {
		s.work.scan()
		for file := range s.work.open {
			if err := s.diagnose(ctx, file); err != nil {
				return nil, err
			}
		}
		return nil, nil
	},
	protocol.MethodTextDocumentCompletion: with(func(s *server, _ context.Context, p protocol.CompletionParams) (any, error) {
		return s.complete(fileOf(p.TextDocument.URI), p.Position), nil
	}),
	protocol.MethodTextDocumentHover: with(func(s *server, _ context.Context, p protocol.HoverParams) (any, error) {
		return s.hover(fileOf(p.TextDocument.URI), p.Position), nil
	}),
	protocol.MethodTextDocumentDefinition: with(func(s *server, _ context.Context, p protocol.DefinitionParams) (any, error) {
		if y, ok := s.symbolAt(fileOf(p.TextDocument.URI), p.Position); ok {
			if at, found := s.definition(y); found {
				return at, nil
			}
		}
		return nil, nil
	}),
	protocol.MethodTextDocumentReferences: with(func(s *server, _ context.Context, p protocol.ReferenceParams) (any, error) {
		y, ok := s.symbolAt(fileOf(p.TextDocument.URI), p.Position)
		if !ok {
			return []protocol.Location{}, nil
		}
		return s.references(y), nil
	}),
	protocol.MethodTextDocumentRename: with(func(s *server, _ context.Context, p protocol.RenameParams) (any, error) {
		y, ok := s.symbolAt(fileOf(p.TextDocument.URI), p.Position)
		if !ok {
			return nil, fmt.Errorf("there is nothing here that can be renamed")
		}
		edit := s.rename(y, p.NewName)
		if edit == nil {
			return nil, fmt.Errorf("%q cannot be the name of a %s", p.NewName, y.kind)
		}
		return edit, nil
	}),
	protocol.MethodTextDocumentCodeAction: with(func(s *server, _ context.Context, p protocol.CodeActionParams) (any, error) {
		return s.quickFixes(p), nil
	}),
	protocol.MethodTextDocumentFormatting: with(func(s *server, _ context.Context, p protocol.DocumentFormattingParams) (any, error) {
		return s.formatted(fileOf(p.TextDocument.URI))
	}),
}

func nothing(*server, context.Context, json.RawMessage) (any, error) { return nil, nil }

// with decodes the parameters.
func with[P any](do func(s *server, ctx context.Context, p P) (any, error)) handler {
	return func(s *server, ctx context.Context, params json.RawMessage) (any, error) {
		var p P
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, fmt.Errorf("%w: %v", jsonrpc2.ErrInvalidParams, err)
		}
		return do(s, ctx, p)
	}
}

func (s *server) initialize(_ context.Context, p protocol.InitializeParams) (any, error) {
	root := ""
	if len(p.WorkspaceFolders) > 0 {
		root = fileOf(protocol.DocumentURI(p.WorkspaceFolders[0].URI))
	} else {
		//lint:ignore SA1019 clients without workspace folders send this
		root = fileOf(p.RootURI)
	}
	if root != "" {
		root = filepath.Clean(root)
	}
	s.work = newWorkspace(root)
	return protocol.InitializeResult{
		Capabilities: protocol.ServerCapabilities{
			TextDocumentSync:           protocol.TextDocumentSyncOptions{OpenClose: true, Change: protocol.TextDocumentSyncKindIncremental},
			CompletionProvider:         &protocol.CompletionOptions{TriggerCharacters: []string{".", "\"", ":", " ", "{"}},
			HoverProvider:              true,
			DefinitionProvider:         true,
			ReferencesProvider:         true,
			RenameProvider:             true,
			CodeActionProvider:         &protocol.CodeActionOptions{CodeActionKinds: []protocol.CodeActionKind{protocol.QuickFix}},
			DocumentFormattingProvider: true,
		},
		ServerInfo: &protocol.ServerInfo{Name: "edrpipe", Version: s.version},
	}, nil
}

func (s *server) didOpen(ctx context.Context, p protocol.DidOpenTextDocumentParams) (any, error) {
	file := fileOf(p.TextDocument.URI)
	if file == "" {
		return nil, fmt.Errorf("%s is not a file", p.TextDocument.URI)
	}
	s.work.set(file, newText(p.TextDocument.Text))
	return nil, s.diagnose(ctx, file)
}

// didChangeParams tells a change of the whole text from one of a range, which the
// protocol package cannot.
type didChangeParams struct {
	TextDocument   protocol.VersionedTextDocumentIdentifier `json:"textDocument"`
	ContentChanges []struct {
		Range *protocol.Range `json:"range"`
		Text  string          `json:"text"`
	} `json:"contentChanges"`
}

func (s *server) didChange(ctx context.Context, p didChangeParams) (any, error) {
	file := fileOf(p.TextDocument.URI)
	t := s.work.open[file]
	if t == nil {
		return nil, fmt.Errorf("%s is not open", p.TextDocument.URI)
	}
	for _, c := range p.ContentChanges {
		if c.Range == nil {
			t = newText(c.Text)
			continue
		}
		t.replace(*c.Range, c.Text)
	}
	s.work.set(file, t)
	return nil, s.diagnose(ctx, file)
}

func (s *server) didClose(_ context.Context, p protocol.DidCloseTextDocumentParams) (any, error) {
	s.work.close(fileOf(p.TextDocument.URI))
	return nil, nil
}

// formatted is the edit that formats a file; none where it is formatted, or is not
// YAML: that is among the diagnostics.
func (s *server) formatted(file string) (any, error) {
	t := s.work.text(file)
	text := t.String()
	out, err := format.Source(file, []byte(text))
	if err != nil || string(out) == text {
		return []protocol.TextEdit{}, nil
	}
	return []protocol.TextEdit{{Range: t.whole(), NewText: string(out)}}, nil
}
