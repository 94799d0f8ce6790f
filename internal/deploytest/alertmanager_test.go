package deploytest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"gopkg.in/yaml.v3"
)

// alertRoute is a route of Alertmanager's configuration.
type alertRoute struct {
	Receiver       string
	GroupBy        []string `yaml:"group_by"`
	GroupWait      string   `yaml:"group_wait"`
	GroupInterval  string   `yaml:"group_interval"`
	RepeatInterval string   `yaml:"repeat_interval"`
	Matchers       []string
	Routes         []alertRoute
}

// alertmanagerFile is the part of Alertmanager's configuration that we use.
type alertmanagerFile struct {
	Route        alertRoute
	InhibitRules []struct {
		SourceMatchers []string `yaml:"source_matchers"`
		TargetMatchers []string `yaml:"target_matchers"`
		Equal          []string
	} `yaml:"inhibit_rules"`
	Receivers []struct {
		Name     string
		Webhooks []struct {
			URLFile      string `yaml:"url_file"`
			SendResolved bool   `yaml:"send_resolved"`
		} `yaml:"webhook_configs"`
	}
}

const alertmanagerConfig = "deploy/alertmanager/alertmanager.yml"

func readAlertmanager(t *testing.T) alertmanagerFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, alertmanagerConfig))
	if err != nil {
		t.Fatal(err)
	}
	var f alertmanagerFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

var matcher = regexp.MustCompile(`^(\w+)(=|!=)"([^"]*)"$`)

// TestAlertmanager: every alert reaches a receiver that is there, whose address is a file
// of the site, and what the routes match are labels that alerts have.
func TestAlertmanager(t *testing.T) {
	f := readAlertmanager(t)
	names := []string{}
	for _, r := range f.Receivers {
		names = append(names, r.Name)
		if len(r.Webhooks) == 0 {
			t.Errorf("receiver %s sends nothing", r.Name)
		}
		for _, w := range r.Webhooks {
			if filepath.Dir(w.URLFile) != "/run/secrets/site" || !w.SendResolved {
				t.Errorf("receiver %s: address in %q, resolved sent: %v", r.Name, w.URLFile, w.SendResolved)
			}
		}
	}
	known := map[string][]string{}
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			known["alertname"] = append(known["alertname"], r.Alert)
			for k, v := range r.Labels {
				known[k] = append(known[k], v)
			}
		}
	}
	check := func(matchers []string) {
		for _, text := range matchers {
			if m := matcher.FindStringSubmatch(text); m == nil || !slices.Contains(known[m[1]], m[3]) {
				t.Errorf("%q matches no label of an alert", text)
			}
		}
	}
	var walk func(r alertRoute)
	walk = func(r alertRoute) {
		if !slices.Contains(names, r.Receiver) {
			t.Errorf("a route leads to receiver %q, which is not there", r.Receiver)
		}
		check(r.Matchers)
		for _, below := range r.Routes {
			walk(below)
		}
	}
	walk(f.Route)
	if len(f.Route.Matchers) > 0 {
		t.Errorf("alerts that %v do not match reach nobody", f.Route.Matchers)
	}
	for _, i := range f.InhibitRules {
		check(i.SourceMatchers)
		check(i.TargetMatchers)
	}
	if path, err := exec.LookPath("amtool"); err == nil { // Alertmanager's own tool, where it is
		if out, err := exec.CommandContext(t.Context(), path, "check-config", filepath.Join(root, alertmanagerConfig)).CombinedOutput(); err != nil {
			t.Errorf("amtool: %v\n%s", err, out)
		}
	}
}

// TestPrometheusSendsToAlertmanager: the service of the same profile, at its port, with the
// configuration that is named, and no secrets but those of the site for it.
func TestPrometheusSendsToAlertmanager(t *testing.T) {
	for _, own := range []string{"", "./secrets/alertmanager/mine.yml"} {
		p := load(t, types.Mapping{"ALERTMANAGER_CONFIG": own})
		s, ok := p.Services["alertmanager"]
		if !ok || !slices.Equal(s.Profiles, p.Services["prometheus"].Profiles) {
			t.Fatalf("alertmanager in the profiles %v", s.Profiles)
		}
		want := alertmanagerConfig
		if own != "" {
			want = own
		}
		mounts := map[string]string{}
		for _, v := range s.Volumes {
			mounts[v.Target] = v.Source
			if v.Type == "bind" && !v.ReadOnly {
				t.Errorf("alertmanager can write %s", v.Source)
			}
		}
		if got := mounts["/etc/alertmanager/alertmanager.yml"]; !strings.HasSuffix(got, strings.TrimPrefix(want, "./")) {
			t.Errorf("with %q the configuration is %q", own, got)
		}
		if got := mounts["/run/secrets/site"]; !strings.HasSuffix(got, "/secrets/alertmanager") || len(mounts) != 3 {
			t.Errorf("alertmanager mounts %v", mounts)
		}
	}
	for _, name := range []string{"prometheus-off.yml", "prometheus-on.yml"} {
		data, err := os.ReadFile(filepath.Join(root, "deploy/prometheus", name))
		if err != nil || !strings.Contains(string(data), `targets: ["alertmanager:9093"]`) {
			t.Errorf("%s names no alertmanager: %v", name, err)
		}
	}
}
