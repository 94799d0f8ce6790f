// Package rabbittest runs a real RabbitMQ server for tests: the Debian package
// rabbitmq-server, on loopback, with directories and an Erlang port mapper of its
// own. Where the package is not installed the test is skipped.
package rabbittest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

// server and control are where Debian keeps the scripts that need no root.
const (
	server  = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	control = "/usr/lib/rabbitmq/bin/rabbitmqctl"
)

// ErrNotInstalled is the reason to skip.
var ErrNotInstalled = errors.New("rabbitmq-server is not installed (Debian: apt-get install rabbitmq-server)")

// Broker is a running RabbitMQ server.
type Broker struct {
	URL string // amqp://user:password@127.0.0.1:port/
	TLS string // amqps://…, when certificates were given

	dir  string
	name string // of the node
	epmd *exec.Cmd
	node *exec.Cmd
}

// Certificates are PEM files for TLS; clients must show one of the same authority.
type Certificates struct{ CA, Cert, Key string }

// Start starts a broker; Stop must be called. It takes about four seconds.
func Start(ctx context.Context, certs *Certificates) (*Broker, error) {
	if _, err := os.Stat(server); err != nil {
		return nil, ErrNotInstalled
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "edrpipe-rabbitmq-")
	if err != nil {
		return nil, err
	}
	b := &Broker{dir: dir}
	if err := b.start(ctx, ports, certs); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

func (b *Broker) start(ctx context.Context, ports []int, certs *Certificates) error {
	var secret [16]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return err
	}
	password := hex.EncodeToString(secret[:])
	config := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
loopback_users = none
default_user = edr
default_pass = %s
log.console = true
log.console.level = warning
log.file = false
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
`, ports[0], password)
	b.URL = fmt.Sprintf("amqp://edr:%s@127.0.0.1:%d/", password, ports[0])
	if certs != nil {
		config += fmt.Sprintf(`listeners.ssl.1 = 127.0.0.1:%d
ssl_options.cacertfile = %s
ssl_options.certfile = %s
ssl_options.keyfile = %s
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
`, ports[3], certs.CA, certs.Cert, certs.Key)
		b.TLS = fmt.Sprintf("amqps://edr:%s@127.0.0.1:%d/", password, ports[3])
	}
	file := filepath.Join(b.dir, "rabbitmq.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	if err := b.spawn(file, ports); err != nil {
		return err
	}
	return b.ready(ctx)
}

// spawn starts the port mapper and the node, each as leader of a process group.
func (b *Broker) spawn(config string, ports []int) error {
	group := &syscall.SysProcAttr{Setpgid: true}
	b.epmd = exec.Command("epmd", "-port", strconv.Itoa(ports[1]), "-address", "127.0.0.1")
	b.epmd.SysProcAttr = group
	if err := b.epmd.Start(); err != nil {
		b.epmd = nil
		return fmt.Errorf("start epmd: %w", err)
	}
	b.name = "edrpipe" + strconv.Itoa(ports[0]) + "@localhost"
	in := func(name string) string { return filepath.Join(b.dir, name) }
	b.node = exec.Command(server)
	b.node.SysProcAttr = group
	b.node.Dir = b.dir
	out, err := os.Create(in("out"))
	if err != nil {
		return err
	}
	defer out.Close() // the node has it open
	b.node.Stdout, b.node.Stderr = out, out
	b.node.Env = append(os.Environ(),
		"HOME="+b.dir,
		"ERL_EPMD_PORT="+strconv.Itoa(ports[1]), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME="+b.name, "RABBITMQ_DIST_PORT="+strconv.Itoa(ports[2]),
		"RABBITMQ_CONFIG_FILE="+config, "RABBITMQ_ENABLED_PLUGINS_FILE="+in("plugins"), "RABBITMQ_PID_FILE="+in("pid"),
		"RABBITMQ_MNESIA_BASE="+in("mnesia"), "RABBITMQ_LOG_BASE="+in("log"), "RABBITMQ_GENERATED_CONFIG_DIR="+in("generated"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
	)
	if err := b.node.Start(); err != nil {
		b.node = nil
		return fmt.Errorf("start rabbitmq-server: %w", err)
	}
	return nil
}

// ready waits until a client can log in.
func (b *Broker) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := amqp091.Dial(b.URL)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			out, _ := os.ReadFile(filepath.Join(b.dir, "out")) // empty when even that failed
			return fmt.Errorf("rabbitmq-server does not come up: %w\n%s", err, out)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Control runs rabbitmqctl, which takes a second or two.
func (b *Broker) Control(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, control, append([]string{"--quiet", "-n", b.name}, args...)...)
	cmd.Env = b.node.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("rabbitmqctl %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// Stop kills the broker and removes what it wrote.
func (b *Broker) Stop() error {
	for _, c := range []*exec.Cmd{b.node, b.epmd} {
		if c == nil {
			continue
		}
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		_ = c.Wait()                                      // it was killed
	}
	return os.RemoveAll(b.dir)
}

// freePorts finds ports that nobody uses at the moment.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
