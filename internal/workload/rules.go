package workload

import (
	"fmt"
	"strings"
)

// Rule is a condition and the events that it is asked of.
type Rule struct {
	ID   string
	On   string
	When string
}

// Rules makes n rules. Most name programs that events have too, together with
// words that they hardly ever have.
func Rules(n int, seed uint64) []Rule {
	v := newVocabulary(seed)
	made := make([]Rule, n)
	for i := range made {
		on, when := v.condition()
		if i%100 == 0 { // a few that match now and then
			tail := v.programs[nPrograms/4+v.rand.IntN(nPrograms*3/4)]
			on, when = "process_start", fmt.Sprintf("process.name == %q && !process.already_running", base(tail))
		}
		made[i] = Rule{ID: fmt.Sprintf("rule-%05d", i), On: on, When: when}
	}
	return made
}

// YAML is the rules as a file that rules.Load reads.
func YAML(made []Rule) []byte {
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, r := range made {
		fmt.Fprintf(&b, "  - id: %s\n    title: Generated for benchmarks\n    on: %s\n    when: >-\n      %s\n", r.ID, r.On, r.When)
		b.WriteString("    steps:\n      - id: value\n        uses: list_processes\n")
	}
	return []byte(b.String())
}

// rare is a word that no event of a workload has: the syllables differ.
func (v *vocabulary) rare() string {
	return "x" + v.hex(3) + "-" + v.word()
}

// list is some alternatives joined by an operator.
func (v *vocabulary) list(op string, most int, one func() string) string {
	n := 1 + v.rand.IntN(most)
	parts := make([]string, n)
	for i := range parts {
		parts[i] = one()
	}
	if n == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " "+op+" ") + ")"
}

func (v *vocabulary) image(field string) string {
	return v.list("||", 4, func() string { return fmt.Sprintf("iendswith(%s, `\\%s`)", field, base(v.program())) })
}

func (v *vocabulary) condition() (on, when string) {
	switch p := v.rand.IntN(100); {
	case p < 55:
		return "process_start", v.processCondition()
	case p < 70:
		ext := []string{".exe", ".dll", ".js", ".hta", ".lnk"}[v.rand.IntN(5)]
		return "file", fmt.Sprintf("icontains(file.path, `\\%s\\`) && iendswith(file.path, %q)", v.rare(), ext)
	case p < 80:
		return "registry", fmt.Sprintf("reg.action == \"writeval\" && %s && !(%s)",
			v.list("||", 3, func() string { return fmt.Sprintf("icontains(reg.path, `\\currentversion\\%s\\`)", v.rare()) }), v.image("process.path"))
	case p < 90:
		return "network", v.networkCondition()
	case p < 95:
		return "module_load", fmt.Sprintf("iendswith(module.path, `\\%s.dll`) && !istartswith(process.path, `C:\\Windows\\`)", v.rare())
	case p < 97:
		return "cross_process", fmt.Sprintf("target.name == \"lsass.exe\" && process.name == %q", v.rare()+".exe")
	}
	return "feed.*", fmt.Sprintf("feed.name == %q && feed.score >= %d", "feed-"+v.rare(), 50+v.rand.IntN(50))
}

func (v *vocabulary) processCondition() string {
	contains := func() string { return fmt.Sprintf("icontains(process.command_line, %q)", v.rare()) }
	switch v.rand.IntN(8) {
	case 0:
		return fmt.Sprintf("process.name in [%q, %q] && process.parent.name in [%q, %q] && %s",
			base(v.program()), base(v.program()), base(v.program()), base(v.program()), contains())
	case 1:
		return fmt.Sprintf("%s && process.command_line matches `(?i)-%s[a-z]*\\s+(\"|')?%s`", v.image("process.path"), v.word()[:2], v.rare())
	case 2:
		return fmt.Sprintf("process.sha256 in [%q, %q, %q]", v.hex(64), v.hex(64), v.hex(64))
	case 3:
		return fmt.Sprintf("%s && !(%s) && !(%s)", v.list("&&", 3, contains), v.image("process.parent.path"), contains())
	case 4:
		return fmt.Sprintf("lower(process.path) contains `\\%s\\` || %s", v.rare(), v.list("&&", 2, contains))
	}
	return fmt.Sprintf("%s && %s", v.image("process.path"), v.list([]string{"||", "&&"}[v.rand.IntN(2)], 4, contains))
}

func (v *vocabulary) networkCondition() string {
	switch v.rand.IntN(3) {
	case 0:
		return fmt.Sprintf("iendswith(net.domain, %q)", "."+v.rare()+".example")
	case 1:
		return fmt.Sprintf("net.remote_port == %d && %s", 1024+v.rand.IntN(60000), v.image("process.path"))
	}
	return fmt.Sprintf("cidr(net.remote_ip, \"%d.%d.%d.0/24\") && net.direction == \"outbound\"", 1+v.rand.IntN(222), v.rand.IntN(256), v.rand.IntN(256))
}
