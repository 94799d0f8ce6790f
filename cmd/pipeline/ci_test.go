package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// ciScripts are the commands of the templates for CI, as shell scripts.
func ciScripts(t *testing.T) map[string]string {
	t.Helper()
	var action struct {
		Runs struct {
			Steps []struct {
				Run string `yaml:"run"`
			} `yaml:"steps"`
		} `yaml:"runs"`
	}
	var gitlab map[string]struct {
		Script []string `yaml:"script"`
	}
	for file, into := range map[string]any{"github/action.yml": &action, "gitlab.yml": &gitlab} {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "ci", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	github := action.Runs.Steps[0].Run
	for input, variable := range map[string]string{"pipeline": "PIPELINE", "rules": "RULES", "score": "SCORE"} {
		github = strings.ReplaceAll(github, "${{ inputs."+input+" }}", "$"+variable)
	}
	return map[string]string{"github": github, "gitlab": strings.Join(gitlab["edrpipe-rules"].Script, "\n")}
}

// TestCITemplates runs what the templates for CI run: rules in order pass, a rule
// with a mistake, a test that fails and a low score do not.
func TestCITemplates(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash")
	}
	const good = "rules:\n  - id: a\n    on: process_start\n    when: process.name == \"a.exe\"\n    steps: [ { uses: list_processes } ]\n    tests:\n      - name: it acts\n        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { name: a.exe } } ]\n        jobs: 1\n"
	pipeline, err := exec.LookPath("pipeline")
	if err != nil {
		t.Skip("the scripts' pipeline command is not on the PATH")
	}
	for name, script := range ciScripts(t) {
		for _, c := range []struct {
			what, rule, score string
			passes            bool
		}{
			{"in order", good, "0", true},
			{"mistake", strings.Replace(good, "process.name ==", "process.nmae ==", 1), "0", false},
			{"failing test", strings.Replace(good, "jobs: 1", "jobs: 0", 1), "0", false},
			{"not formatted", strings.Replace(good, "id: a", "id:  a", 1), "0", false},
			{"low score", strings.Replace(good, `"a.exe"`+"\n", `"a.exe" && !process.already_running`+"\n", 1), "99.9", false},
		} {
			t.Run(name+"/"+c.what, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(c.rule), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", script)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PIPELINE="+pipeline, "RULES=.", "SCORE="+c.score)
				out, err := cmd.CombinedOutput()
				if passed := err == nil; passed != c.passes {
					t.Errorf("passed: %v, want %v\n%s", passed, c.passes, out)
				}
			})
		}
	}
}
