package natsd

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"edrpipe/internal/secretfiles"
)

// Versions of nats-server that the shipped configuration is tried on.
const (
	shippedVersion = server.VERSION
	oldestVersion  = "2.12.1" // the first with batches that are written whole
)

const witnessPassword = "a-witness"

// deployed is a directory with the shipped configuration and passwords, as docker
// compose mounts them.
func deployed(t *testing.T, cluster string) (dir string, password func(user string) string) {
	t.Helper()
	dir = t.TempDir()
	for name, as := range map[string]string{"server.conf": "server.conf", "accounts.conf": "accounts.conf", "tls-off.conf": "tls.conf", cluster: "cluster.conf"} {
		data, err := os.ReadFile(filepath.Join("../../deploy/nats", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, as), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets := filepath.Join(dir, "secrets")
	if _, err := secretfiles.Make(secrets); err != nil {
		t.Fatal(err)
	}
	return dir, func(user string) string {
		if strings.HasPrefix(user, "witness-") {
			return witnessPassword
		}
		password, err := os.ReadFile(filepath.Join(secrets, user+".password"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(password))
	}
}

// shipped runs a NATS server on the configuration that is deployed.
func shipped(t *testing.T, cluster string) (*server.Server, func(user string) string) {
	t.Helper()
	dir, password := deployed(t, cluster)
	return inProcess(t, dir), password
}

func inProcess(t *testing.T, dir string) *server.Server {
	t.Helper()
	t.Setenv("NATS_SERVER_NAME", "nats-1")
	opts, err := server.ProcessConfigFile(filepath.Join(dir, "server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.HTTPPort, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, 0, t.TempDir(), true, true
	opts.Cluster, opts.Routes = server.ClusterOpts{}, nil // one server; the clustered form is parsed above
	ns, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("not ready")
	}
	return ns
}

// serve runs a version of nats-server on the shipped configuration, with a witness
// in each account who has all rights there.
func serve(t *testing.T, version string) (url string, password func(user string) string) {
	t.Helper()
	if version == embedded {
		return serveEmbedded(t)
	}
	dir, password := deployed(t, "cluster.conf")
	file := filepath.Join(dir, "accounts.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for account, user := range map[string]string{"EDR": "service", "INGEST": "ingest", "READER": "reader"} {
		witness := fmt.Sprintf("users: [ { user: witness-%s, password: %s }, { user: %s,", account, witnessPassword, user)
		with := bytes.Replace(text, []byte("users: [ { user: "+user+","), []byte(witness), 1)
		if bytes.Equal(with, text) {
			t.Fatalf("%s has no user %s", file, user)
		}
		text = with
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if version == shippedVersion {
		return inProcess(t, dir).ClientURL(), password
	}
	return otherVersion(t, version, dir), password
}

// embedded is the server inside the service, where it listens to other processes.
const embedded = "embedded"

// serveEmbedded runs the embedded server with the same witnesses.
func serveEmbedded(t *testing.T) (url string, password func(user string) string) {
	t.Helper()
	c := Config{Dir: t.TempDir(), Sync: time.Minute, Listen: "127.0.0.1:0", User: operatorUser, Pass: "o", Ingest: "i", Reader: "r"}
	opts, err := options(c, newOwner())
	if err != nil {
		t.Fatal(err)
	}
	witnessed := map[string]bool{}
	for _, u := range opts.Users {
		if account := u.Account; account != nil && account.Name != "SYS" && !witnessed[account.Name] {
			witnessed[account.Name] = true
			opts.Users = append(opts.Users, &server.User{Username: "witness-" + account.Name, Password: witnessPassword, Account: account})
		}
	}
	s := &Server{conf: c, opts: opts, broken: new(atomic.Bool)}
	ns, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns.ClientURL(), func(user string) string {
		return map[string]string{"service": "o", "ingest": "i", "reader": "r"}[user]
	}
}

// otherVersion runs a nats-server that was built for the test.
func otherVersion(t *testing.T, version, dir string) (url string) {
	t.Helper()
	program, err := build(version)
	if err != nil {
		t.Skipf("nats-server %s cannot be built here: %v", version, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(filepath.Join(dir, "server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("port: 4222", fmt.Sprintf("listen: %q", address), "http: 8222", "", "/data", t.TempDir()).Replace(string(conf))
	if err := os.WriteFile(filepath.Join(dir, "server.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-c", filepath.Join(dir, "server.conf"))
	cmd.Env = append(os.Environ(), "NATS_SERVER_NAME=nats-1")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // it ends by the kill, which is an error
	url = "nats://" + address.String()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		nc, err := nats.Connect(url, nats.UserInfo("service", "wrong"))
		switch {
		case err == nil:
			nc.Close()
			t.Fatal("a wrong password was taken")
		case strings.Contains(err.Error(), "uthorization"):
			return url
		case time.Now().After(deadline):
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("not ready: %v\n%s", err, said.String())
		}
	}
}

// build makes a version's program once for all tests.
var build = func() func(version string) (string, error) {
	var once sync.Once
	var program string
	var err error
	return func(version string) (string, error) {
		once.Do(func() { program, err = buildServer(version) })
		return program, err
	}
}()

// buildServer builds nats-server in a module of its own. The program stays in the
// user's cache, as a build takes a minute.
func buildServer(version string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "edrpipe-test", "nats-server-"+version)
	program := filepath.Join(dir, "nats-server")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	mod := fmt.Sprintf("module natsserver\n\ngo 1.24\n\nrequire github.com/nats-io/nats-server/v2 v%s\n", version)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", program+".new", "github.com/nats-io/nats-server/v2")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %.400s", err, out)
	}
	return program, os.Rename(program+".new", program)
}
