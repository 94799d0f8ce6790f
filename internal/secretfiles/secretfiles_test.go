package secretfiles

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"edrpipe/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsThereStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	made, err := Make(dir)
	if err != nil || len(made) != len(accounts)+len(others)+2*len(listeners)+len(people)+1 {
		t.Fatalf("made %v: %v", made, err)
	}
	before := read(t, dir)
	if err := os.Remove(filepath.Join(dir, "reader.password")); err != nil {
		t.Fatal(err)
	}
	made, err = Make(dir)
	if err != nil || len(made) != 1 || made[0] != "reader.password" {
		t.Fatalf("made %v: %v", made, err)
	}
	for name, text := range read(t, dir) {
		changed := text != before[name]
		if want := name == "reader.password" || name == "nats-passwords.conf"; changed != want {
			t.Errorf("%s changed: %v, want %v", name, changed, want)
		}
	}
}

func TestEachListenerHasACertificateForItsNames(t *testing.T) {
	dir := t.TempDir()
	if _, err := Make(dir); err != nil {
		t.Fatal(err)
	}
	for name, hosts := range listeners {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		crt, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(crt)
		for _, host := range append([]string{"127.0.0.1"}, hosts...) {
			if _, err := crt.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Errorf("%s: %s: %v", name, host, err)
			}
		}
		if name != "simulator" && crt.VerifyHostname("simulator") == nil {
			t.Errorf("the certificate of %s is one of the simulator", name)
		}
	}
}

// TestUsersComeIn reads the users file as the service does.
func TestUsersComeIn(t *testing.T) {
	dir := t.TempDir()
	if _, err := Make(dir); err != nil {
		t.Fatal(err)
	}
	users, err := web.LoadUsers(filepath.Join(dir, usersFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		token, err := os.ReadFile(filepath.Join(dir, p.name+".token"))
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := users.ByToken(string(token)); !ok || u.Name != p.name || string(u.Role) != p.role {
			t.Errorf("the token of %s opens for %+v, %v", p.name, u, ok)
		}
	}
}

// read returns the files of dir and checks that only their owner reads them.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if fi, err := e.Info(); err != nil || fi.Mode().Perm() != 0o400 {
			t.Errorf("%s: %v %v", e.Name(), fi.Mode(), err)
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}
