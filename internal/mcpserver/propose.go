package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
)

// maxRule bounds a proposed rule file, in bytes.
const maxRule = 256 << 10

// Proposal is the result of checking a proposed rule file, which is not stored.
type Proposal struct {
	Rules    int             `json:"rules"`
	Problems []string        `json:"problems"` // with line, caret and what to do; none: it is in order
	Tests    []ProposalsTest `json:"tests"`
}

// ProposalsTest is what running one of its tests showed.
type ProposalsTest struct {
	Rule     string   `json:"rule"`
	Name     string   `json:"name"`
	Passed   bool     `json:"passed"`
	Failures []string `json:"failures,omitempty"`
}

// addPropose registers the tool that checks and tests a rule file.
func addPropose(s *mcp.Server, cfg Config) {
	s.AddTool(&mcp.Tool{
		Name:        "propose_rule",
		Description: "Check a rule file and run the tests in it. Nothing is written or put in force: a person does that.",
		InputSchema: schemaOf([]arg{{"yaml", "the rule file, with tests", true}}),
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true},
	}, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var in struct {
			YAML string `json:"yaml"`
		}
		if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
			return refused(fmt.Errorf("the arguments are not an object with a text: %w", err)), nil
		}
		p, err := propose(ctx, in.YAML, cfg.Lists)
		if err != nil {
			return refused(err), nil
		}
		answer, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		return result(answer), nil
	})
}

// propose checks a rule file and runs its tests, in a directory that it removes.
func propose(ctx context.Context, text, lists string) (Proposal, error) {
	if text == "" || len(text) > maxRule {
		return Proposal{}, fmt.Errorf("yaml: a rule file of 1 to %d bytes is wanted, this one has %d", maxRule, len(text))
	}
	dir, err := os.MkdirTemp("", "edrpipe-proposal-*")
	if err != nil {
		return Proposal{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "proposal.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return Proposal{}, err
	}
	if lists != "" {
		from, err := filepath.Abs(lists)
		if err == nil {
			err = os.Symlink(from, filepath.Join(dir, "lists"))
		}
		if err != nil {
			return Proposal{}, fmt.Errorf("lists of proposed rules: %w", err)
		}
	}
	checked := rules.Check(true, file)
	p := Proposal{Rules: checked.Rules, Problems: []string{}, Tests: []ProposalsTest{}}
	for _, problem := range checked.Problems {
		p.Problems = append(p.Problems, shown(problem))
	}
	if checked.Problems.Err() != nil {
		return p, nil
	}
	return p, p.runTests(ctx, file)
}

func (p *Proposal) runTests(ctx context.Context, file string) error {
	set, err := rules.Load(file)
	if err != nil {
		return err
	}
	tests := set.Source().Tests
	for _, t := range tests {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r := t.Run(ctx, set)
		done := ProposalsTest{Rule: t.Rule, Name: t.Name, Passed: r.Passed(), Failures: r.Failures}
		for _, problem := range r.Problems {
			done.Failures = append(done.Failures, shown(problem))
		}
		p.Tests = append(p.Tests, done)
	}
	if len(tests) == 0 {
		return errors.New("the rule file has no tests")
	}
	return nil
}

// shown is a problem with its caret, in the file that the assistant gave.
func shown(p strictyaml.Problem) string {
	p.File = filepath.Base(p.File)
	return p.Text()
}
