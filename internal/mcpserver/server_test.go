package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service answers with the call that it got, or as it is told.
type service struct {
	answer string
	err    error
}

func (s service) Get(_ context.Context, path string, query url.Values, out any) error {
	if s.err != nil {
		return s.err
	}
	text := s.answer
	if text == "" {
		b, _ := json.Marshal(path + "?" + query.Encode())
		text = string(b)
	}
	return json.Unmarshal([]byte(text), out)
}

// connect returns a client's session with a server.
func connect(t *testing.T, cfg Config) *mcp.ClientSession {
	t.Helper()
	ours, theirs := mcp.NewInMemoryTransports()
	serving, err := New(cfg).Connect(t.Context(), ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(session.Close(), serving.Wait()); err != nil {
			t.Error(err)
		}
	})
	return session
}

func call(t *testing.T, s *mcp.ClientSession, tool string, args map[string]any) (text string, failed bool) {
	t.Helper()
	r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if len(r.Content) != 1 {
		t.Fatalf("%s: %d contents, want 1", tool, len(r.Content))
	}
	return r.Content[0].(*mcp.TextContent).Text, r.IsError
}

func TestReadTools(t *testing.T) {
	t.Parallel()
	s := connect(t, Config{Service: service{}})
	for name, c := range map[string]struct {
		tool string
		args map[string]any
		want string // the call, or a part of the refusal
		fail bool
	}{
		"health":                     {"health", nil, `"overview?"`, false},
		"jobs with a filter":         {"jobs", map[string]any{"state": "held", "limit": 5}, `"jobs?limit=5\u0026state=held"`, false},
		"a job":                      {"job", map[string]any{"id": "a/b"}, `"jobs/a%2Fb?"`, false},
		"a job without its id":       {"job", nil, "id is missing", true},
		"why":                        {"why", map[string]any{"about": "sensor:hq/42"}, `"why?about=sensor%3Ahq%2F42"`, false},
		"why, of nothing":            {"why", map[string]any{"about": ""}, "about is missing", true},
		"an argument that is none":   {"rules", map[string]any{"id": "x"}, `rules has no argument "id"`, true},
		"an argument that is a list": {"jobs", map[string]any{"state": []string{"held"}}, "state is to be a text", true},
	} {
		t.Run(name, func(t *testing.T) {
			text, failed := call(t, s, c.tool, c.args)
			if failed != c.fail || !strings.Contains(text, c.want) {
				t.Errorf("%q, failed %v; want %q, %v", text, failed, c.want, c.fail)
			}
			if !failed && !strings.HasPrefix(text, notice) {
				t.Errorf("the result does not say that it is data: %q", text)
			}
		})
	}
}

// No tool may do more than look: each says so, and there is none that acts.
func TestToolsOnlyRead(t *testing.T) {
	t.Parallel()
	tools, err := connect(t, Config{Service: service{}}).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(tools.Tools) != len(readTools)+1 {
		t.Errorf("%d tools, want %d", len(tools.Tools), len(readTools)+1)
	}
	for _, tool := range tools.Tools {
		if tool.Annotations == nil || !tool.Annotations.ReadOnlyHint {
			t.Errorf("tool %s does not say that it only reads", tool.Name)
		}
	}
}

func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	long, err := json.Marshal(strings.Repeat("ü", MaxResult))
	if err != nil {
		t.Fatal(err)
	}
	text, failed := call(t, connect(t, Config{Service: service{answer: string(long)}}), "jobs", nil)
	if failed || len(text) > MaxResult+len(notice)+200 || !strings.Contains(text, "… cut: ") || strings.ContainsRune(text, '\uFFFD') {
		t.Errorf("%d bytes, failed %v; want at most %d, whole letters and a word that it is cut", len(text), failed, MaxResult)
	}
}

func TestTheServicesRefusalIsTold(t *testing.T) {
	t.Parallel()
	text, failed := call(t, connect(t, Config{Service: service{err: errors.New("no such job (HTTP 404)")}}), "job", map[string]any{"id": "x"})
	if !failed || !strings.Contains(text, "no such job (HTTP 404)") {
		t.Errorf("%q, failed %v; want the service's words as a failure", text, failed)
	}
}

const proposed = `rules:
  - id: from-temp
    on: process_start
    when: icontains(process.path, "\\temp\\") && !in_list(process.sha256, "good")
    steps: [{ uses: list_processes }]
    tests:
      - name: from temp
        events: [{ type: ingress.event.procstart, sensor: { id: "7" }, process: { path: 'c:\temp\a.exe', guid: g } }]
        expect: [{ run: list_processes }]
`

func TestProposeRule(t *testing.T) {
	t.Parallel()
	lists := t.TempDir()
	if err := os.WriteFile(filepath.Join(lists, "good.txt"), []byte(strings.Repeat("0f", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := connect(t, Config{Service: service{}, Lists: lists})
	for name, c := range map[string]struct {
		yaml, problem string
		passed        []bool
	}{
		"in order":     {proposed, "", []bool{true}},
		"a typo":       {strings.Replace(proposed, "process.path", "process.pth", 1), "proposal.yaml:4:", nil},
		"a wrong test": {strings.Replace(proposed, "        events:", "        evnts:", 1), "evnts", nil},
		"it fails":     {strings.Replace(proposed, `c:\temp\a.exe`, `c:\tmp\a.exe`, 1), "", []bool{false}},
		"no tests":     {proposed[:strings.Index(proposed, "    tests:")], "test", nil},
	} {
		t.Run(name, func(t *testing.T) {
			text, failed := call(t, s, "propose_rule", map[string]any{"yaml": c.yaml})
			if failed {
				t.Fatal(text)
			}
			var p Proposal
			if err := json.Unmarshal([]byte(strings.TrimPrefix(text, notice)), &p); err != nil {
				t.Fatal(err)
			}
			var passed []bool
			for _, test := range p.Tests {
				passed = append(passed, test.Passed)
			}
			told := strings.Join(p.Problems, "\n")
			if (c.problem == "") != (told == "") || !strings.Contains(told, c.problem) || len(passed) != len(c.passed) || len(passed) > 0 && passed[0] != c.passed[0] {
				t.Errorf("problems %q, passed %v; want %q, %v", told, passed, c.problem, c.passed)
			}
		})
	}
	for name, text := range map[string]string{"nothing": "", "too much": strings.Repeat("#", maxRule+1)} {
		if told, failed := call(t, s, "propose_rule", map[string]any{"yaml": text}); !failed || !strings.Contains(told, "a rule file of 1 to") {
			t.Errorf("%s: %q, failed %v; want a refusal", name, told, failed)
		}
	}
}
