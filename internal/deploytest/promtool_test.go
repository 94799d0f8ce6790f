package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// promtool runs Prometheus's own tool, or skips the test where there is none.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool here: apt-get install prometheus")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// writeYAML is a file with v in it.
func writeYAML(t *testing.T, name string, v any) string {
	t.Helper()
	data, err := yaml.Marshal(v)
	if err == nil {
		name = filepath.Join(t.TempDir(), name)
		err = os.WriteFile(name, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPrometheusTakesTheAlerts(t *testing.T) {
	promtool(t, "check", "rules", filepath.Join(root, "deploy/prometheus/alerts.yml"))
}

// TestPrometheusTakesItsConfiguration with the files in place that it names.
func TestPrometheusTakesItsConfiguration(t *testing.T) {
	rules, err := filepath.Abs(filepath.Join(root, "deploy/prometheus/alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prometheus-off.yml", "prometheus-on.yml"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(root, "deploy/prometheus", name))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			text := strings.NewReplacer("/etc/prometheus/alerts.yml", rules, "/secrets/", dir+"/").Replace(string(data))
			for file, text := range map[string]string{name: text, "metrics.token": "x", "web.crt": ""} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			promtool(t, "check", "config", filepath.Join(dir, name))
		})
	}
}

// TestEachAlertFiresAndDoesNot has Prometheus evaluate the alerts on made-up
// series, and sees that none of them is left out.
func TestEachAlertFiresAndDoesNot(t *testing.T) {
	const cases = "deploy/prometheus/alerts_test.yml"
	var file struct {
		Tests []struct {
			Name  string
			Cases []struct {
				Alert string `yaml:"alertname"`
				Want  []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	data, err := os.ReadFile(filepath.Join(root, cases))
	if err == nil {
		err = yaml.Unmarshal(data, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			fires[c.Alert] = fires[c.Alert] || len(c.Want) > 0
			silent[c.Alert] = silent[c.Alert] || len(c.Want) == 0
		}
	}
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			if !fires[r.Alert] || !silent[r.Alert] {
				t.Errorf("%s: a case in which it fires: %v, one in which it does not: %v", r.Alert, fires[r.Alert], silent[r.Alert])
			}
		}
	}
	promtool(t, "test", "rules", filepath.Join(root, cases))
}

// TestPrometheusTakesTheDashboardsQueries: each is checked as if it were a rule.
func TestPrometheusTakesTheDashboardsQueries(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "deploy/grafana/dashboards/edrpipe.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	type rule struct{ Record, Expr string }
	type group struct {
		Name  string
		Rules []rule
	}
	g := group{Name: "panels"}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			g.Rules = append(g.Rules, rule{fmt.Sprintf("panel:query%d", len(g.Rules)), strings.NewReplacer("$__rate_interval", "1m", "$__range", "3h").Replace(target.Expr)})
		}
	}
	if len(g.Rules) < len(dashboard.Panels) {
		t.Fatalf("%d queries in %d panels", len(g.Rules), len(dashboard.Panels))
	}
	promtool(t, "check", "rules", writeYAML(t, "panels.yml", map[string][]group{"groups": {g}}))
}
