package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.uber.org/goleak"

	"edrpipe/internal/config"
	"edrpipe/internal/secretfiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.."

// settings reads a file of variables; later files win.
func settings(t *testing.T, files ...string) types.Mapping {
	t.Helper()
	all := types.Mapping{}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
				all[k] = v
			}
		}
	}
	return all
}

func load(t *testing.T, env types.Mapping) *types.Project {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: dir, Environment: env, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "docker-compose.yml"), Content: data}},
	}, func(o *loader.Options) { o.SetProjectName("edrpipe", true); o.Profiles = []string{"*"} })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestComposeFile loads the file in each way that it is meant to be started and
// looks whether what it mounts is there: compose makes an empty directory of a
// file that is not.
func TestComposeFile(t *testing.T) {
	for name, env := range map[string]types.Mapping{
		"nothing set":    {},
		"as shipped":     settings(t, ".env"),
		"a cluster":      settings(t, "deploy/compose/cluster.env"),
		"TLS everywhere": {"TLS": "on"},
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, env)
			for _, s := range p.Services {
				for _, v := range s.Volumes {
					if _, err := os.Stat(v.Source); v.Type == "bind" && err != nil {
						t.Errorf("%s mounts what is not there: %v", s.Name, err)
					}
				}
				for _, port := range s.Ports {
					if port.HostIP != "127.0.0.1" {
						t.Errorf("%s listens for everybody on port %s", s.Name, port.Published)
					}
				}
				for dep := range s.DependsOn {
					if _, ok := p.Services[dep]; !ok {
						t.Errorf("%s depends on %s, which is not there", s.Name, dep)
					}
				}
			}
		})
	}
}

// TestContainersCanDoLittle holds every container of ours to an unwritable root
// without capabilities, and its settings to keys that there are.
// TestTheProjectHasAName in both ways to start it, so that volumes and the commands of
// the documentation do not hang on the name of a directory.
func TestTheProjectHasAName(t *testing.T) {
	t.Parallel()
	for _, file := range []string{".env", "deploy/compose/cluster.env"} {
		if name := settings(t, file)["COMPOSE_PROJECT_NAME"]; name != "edrpipe" {
			t.Errorf("%s calls the project %q", file, name)
		}
	}
}

func TestContainersCanDoLittle(t *testing.T) {
	known := map[string]bool{}
	for _, k := range config.Keys() {
		known[k.Env()] = true
	}
	for _, s := range load(t, types.Mapping{}).Services {
		for name := range s.Environment {
			if strings.HasPrefix(name, "EDRPIPE_") && !known[name] {
				t.Errorf("%s sets %s, which is no key", s.Name, name)
			}
		}
		if s.Name == "rabbitmq" { // its image prepares itself as root
			continue
		}
		if s.Name != "secrets" && s.User == "0:0" {
			t.Errorf("%s is root", s.Name)
		}
		if !s.ReadOnly || fmt.Sprint(s.CapDrop) != "[ALL]" || fmt.Sprint(s.SecurityOpt) != "[no-new-privileges:true]" {
			t.Errorf("%s: read-only %v, drops %v, %v", s.Name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
	}
}

// TestEachContainerMountsItsOwnSecrets: the volume of all secrets is mounted where they are
// made, which has no network and ends; every other container mounts one of its own.
func TestEachContainerMountsItsOwnSecrets(t *testing.T) {
	own := map[string]string{
		"nats-2": "nats", "nats-3": "nats", "pipeline": "service", "pipeline-2": "service", "pipeline-3": "service",
	}
	for _, s := range load(t, settings(t, "deploy/compose/cluster.env")).Services {
		if s.Name == "alertmanager" { // reads secrets of the site only: TestAlertmanager
			continue
		}
		if s.Name == "secrets" {
			if s.NetworkMode != "none" || s.Restart != "no" {
				t.Errorf("what makes the secrets has network %q, restart %q", s.NetworkMode, s.Restart)
			}
			continue
		}
		part := s.Name
		if own[s.Name] != "" {
			part = own[s.Name]
		}
		var with []string
		for _, v := range s.Volumes {
			if v.Source == "secrets" || strings.HasPrefix(v.Source, "secrets-") {
				with = append(with, v.Source)
				if !v.ReadOnly {
					t.Errorf("%s can write its secrets", s.Name)
				}
			}
			if v.Source == "once" && s.Name != "pipeline" {
				t.Errorf("%s mounts the admin's first token", s.Name)
			}
			if dir, _ := filepath.Abs(filepath.Join(root, "secrets")); v.Source == dir && part != "service" {
				t.Errorf("%s mounts the secrets of the site", s.Name)
			}
		}
		if want := "secrets-" + part; len(with) != 1 || with[0] != want {
			t.Errorf("%s mounts %v, want %s alone", s.Name, with, want)
		}
		if len(s.CapAdd) > 0 {
			t.Errorf("%s has capabilities %v", s.Name, s.CapAdd)
		}
	}
}

// TestSecretsAreMadeForEveryMount runs the command of the compose file, with users of this
// machine, and looks for each file that a container's settings name.
func TestSecretsAreMadeForEveryMount(t *testing.T) {
	p := load(t, types.Mapping{"TLS": "on"})
	dir, to := t.TempDir(), t.TempDir()
	if _, err := secretfiles.Make(dir); err != nil {
		t.Fatal(err)
	}
	command := p.Services["secrets"].Command
	owners := map[string]int{}
	for pair := range strings.SplitSeq(command[len(command)-1], ",") {
		part, _, _ := strings.Cut(pair, "=")
		owners[part] = os.Getuid()
	}
	if err := secretfiles.Share(dir, to, owners); err != nil {
		t.Fatal(err)
	}
	for _, v := range p.Services["secrets"].Volumes {
		part := strings.TrimPrefix(v.Source, "secrets-")
		if _, err := os.Stat(filepath.Join(to, part)); part != "secrets" && err != nil {
			t.Errorf("the volume %s stays empty: %v", v.Source, err)
		}
	}
	for _, s := range p.Services {
		part := ""
		for _, v := range s.Volumes {
			if after, ok := strings.CutPrefix(v.Source, "secrets-"); ok {
				part = after
			}
		}
		named := slices.Clone([]string(s.Command))
		for name, value := range s.Environment {
			// The file of settings by TLS is that of several; only the service has the pages.
			if value != nil && !(part != "service" && strings.HasPrefix(name, "EDRPIPE_WEB_")) {
				named = append(named, *value)
			}
		}
		for _, value := range named {
			file, ok := strings.CutPrefix(value, "/secrets/")
			if !ok {
				continue
			}
			if _, err := os.Stat(filepath.Join(to, part, file)); err != nil {
				t.Errorf("%s reads %s, which it does not have: %v", s.Name, value, err)
			}
		}
	}
}
