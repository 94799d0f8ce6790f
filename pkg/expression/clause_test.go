package expression_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/expression"
)

func TestClauses(t *testing.T) {
	tests := []struct{ source, want string }{
		{`process.pid == 1`, "false: process.pid == 1 [process.pid=4711]"},
		{`process.name == "x" and process.pid == 4711`, `false: process.name == "x" [process.name=PowerShell.exe]`},
		{`process.name == "x" or process.pid == 1`, `false: process.name == "x" [process.name=PowerShell.exe]; process.pid == 1 [process.pid=4711]`},
		{`not (process.pid == 4711 and net.remote_port == 443)`, `false: process.pid == 4711 [process.pid=4711]; net.remote_port == 443 [net.remote_port=443]`},
		{`process.pid == 4711 && icontains(process.path, "SYSTEM32")`, `true: process.pid == 4711 [process.pid=4711]; icontains(process.path, "SYSTEM32") [process.path=c:\windows\system32\PowerShell.exe]`},
		{`let n = lower(process.name); n == "x" or n == "powershell.exe"`, `true: n == "powershell.exe" [n=powershell.exe]`},
		{`any(sensor.groups, # == "x")`, `false: any(sensor.groups, # == "x") [sensor.groups=[Office Labs]]`},
		{`raw.a.b == 5`, `false: raw.a.b == 5 [raw.a.b=<nil>]`},
		{`raw.n > "x" or process.pid == 1`, `false: raw.n > "x" [raw.n=5]`},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			p, err := expression.EventScope().Condition(tt.source)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.Clauses()
			if err != nil {
				t.Fatal(err)
			}
			o := c.Eval(sample())
			var parts []string
			for _, b := range o.Blame() {
				text := b.Clause.Text
				for _, f := range b.Fields {
					text += fmt.Sprintf(" [%s=%v]", f.Name, f.Value)
				}
				parts = append(parts, text)
			}
			got := fmt.Sprintf("%v: %s", o.Value, strings.Join(parts, "; "))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if want, err := p.Bool(sample()); err == nil && want != o.Value {
				t.Errorf("the clauses give %v, the program %v", o.Value, want)
			}
		})
	}
}
