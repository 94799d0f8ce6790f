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
		if !s.ReadOnly || fmt.Sprint(s.CapDrop) != "[ALL]" || fmt.Sprint(s.SecurityOpt) != "[no-new-privileges:true]" {
			t.Errorf("%s: read-only %v, drops %v, %v", s.Name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
	}
}

// TestOnlyTheServiceHasTheKeyOfTheRecords: with it, the bus could forge what replicas
// share.
func TestOnlyTheServiceHasTheKeyOfTheRecords(t *testing.T) {
	var with []string
	for _, s := range load(t, settings(t, "deploy/compose/cluster.env")).Services {
		for _, v := range s.Volumes {
			if v.Source == "keys" {
				with = append(with, s.Name)
				if s.Name != "secrets" && !v.ReadOnly {
					t.Errorf("%s can write the keys", s.Name)
				}
			}
		}
	}
	slices.Sort(with)
	if want := []string{"pipeline", "pipeline-2", "pipeline-3", "secrets"}; !slices.Equal(with, want) {
		t.Errorf("the keys are mounted in %v, want %v", with, want)
	}
}
