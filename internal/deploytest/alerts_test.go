package deploytest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"edrpipe/internal/telemetry"
	"edrpipe/pkg/strictyaml"
)

// alertFile is what Prometheus reads.
type alertFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func alerts(t *testing.T) alertFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var f alertFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryAlertHasARunbook(t *testing.T) {
	pages := map[string]bool{}
	entries, err := os.ReadDir(filepath.Join(root, "docs/runbooks"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pages["docs/runbooks/"+e.Name()] = true
	}
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			page := r.Annotations["runbook"]
			if page != "docs/runbooks/"+r.Alert+".md" || !pages[page] {
				t.Errorf("%s: runbook %q is not there", r.Alert, page)
				continue
			}
			delete(pages, page)
			data, err := os.ReadFile(filepath.Join(root, page))
			if err != nil || !strings.Contains(string(data), "`"+r.Expr+"`") {
				t.Errorf("%s does not tell the condition %s (%v)", page, r.Expr, err)
			}
			if _, err := strictyaml.ParseDuration(r.For); err != nil {
				t.Errorf("%s: for: %v", r.Alert, err)
			}
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity %q", r.Alert, s)
			}
		}
	}
	for page := range pages {
		t.Errorf("%s belongs to no alert", page)
	}
}

var metricName = regexp.MustCompile(`\bedrpipe_[a-z_]+`)

// TestMetricsExist: what alerts and the dashboard ask for is what the service tells.
func TestMetricsExist(t *testing.T) {
	known := metrics(t)
	check := func(where, expr string) {
		for _, name := range metricName.FindAllString(expr, -1) {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				name = strings.TrimSuffix(name, suffix)
			}
			if !known[name] {
				t.Errorf("%s asks for %s, which there is not", where, name)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s: unbalanced %s", where, expr)
		}
	}
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			check(r.Alert, r.Expr)
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "deploy/grafana/dashboards/edrpipe.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			check("panel "+p.Title, target.Expr)
		}
	}
}

// metrics are the names of all metrics, also of those that have no value yet.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, name := range telemetry.New().Names() {
		known[name] = true
	}
	if len(known) < 20 {
		t.Fatalf("metrics: %v", known)
	}
	return known
}
