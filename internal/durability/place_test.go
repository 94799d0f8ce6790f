package durability

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/edrsim"
)

const (
	user     = "edrpipe"
	password = "n0loss"
	sensors  = 8
)

// Every event matches the first rule, which records a decision instead of a job because
// of their age: so each matched event is visible on the bus. One in oneIn also matches
// the second rule. That rule has no suppression, which would hide a duplicate job.
const ruleText = `
rules:
  - id: every
    on: process_start
    when: process.name == "evil.exe"
    max_age: 1s
    steps: [ { uses: list_processes } ]
  - id: chosen
    on: process_start
    when: process.name == "evil.exe" && process.pid %% %d == 0
    max_age: 0s
    suppress: { key: [process.pid], for: 0s }
    steps:
      - { id: once, uses: create_process, with: { program: whoami.exe, args: ["n${{ process.pid }}"] } }
`

var anHourAgo = time.Now().Add(-time.Hour).Unix()

// place has everything that a service needs, and survives it.
type place struct {
	dir    string
	oneIn  int // one event in so many gives a job
	sim    *edrsim.Server
	listen string // address of the service's web listener
	bus    string // URL of the bus: in the service, or one that survives
	broker string // URL of RabbitMQ; empty: not read
}

func newPlace(t *testing.T, r route, broker string, oneIn int) *place {
	t.Helper()
	p := &place{dir: t.TempDir(), oneIn: oneIn, listen: freeAddress(t)}
	p.sim = edrsim.New(edrsim.Config{Sensors: sensors, TimeScale: 20, CheckIn: 5 * time.Second, Fleet: []edrsim.SensorSpec{
		{Count: sensors, OS: "windows", Latency: edrsim.Latency{Min: 200 * time.Millisecond, Max: 400 * time.Millisecond}},
	}}).Start()
	t.Cleanup(p.sim.Close)
	at := ""
	if r.outside {
		p.bus = bustest.Serve(t, natsd.Config{Sync: time.Minute, Listen: "127.0.0.1:0", User: user, Pass: password}).URL() // no kill reaches it
		at = fmt.Sprintf(`{ url: "%s", user: %s, password_file: %s/password }`, p.bus, user, p.dir)
	} else {
		address := freeAddress(t)
		p.bus = "nats://" + address
		at = fmt.Sprintf(`{ listen: "%s", sync: 1m, user: %s, password_file: %s/password }`, address, user, p.dir)
	}
	more := ""
	if r.rabbit {
		p.broker = broker
		u, err := url.Parse(broker)
		if err != nil {
			t.Fatal(err)
		}
		secret, _ := u.User.Password()
		p.write(t, "amqp.password", secret)
		u.User = url.User(u.User.Username())
		more = fmt.Sprintf(`amqp: { url: "%s", password_file: %s/amqp.password }`, u, p.dir)
	}
	p.write(t, "password", password)
	p.write(t, "rules/durability.yaml", fmt.Sprintf(ruleText, oneIn))
	p.write(t, "edr.token", p.sim.Token)
	p.write(t, "pipeline.yaml", fmt.Sprintf(`
data: %[1]s/data
rules: [%[1]s/rules]
grace: 5s
bus: %[2]s
edr: { name: sim, url: "%[3]s", token_file: %[1]s/edr.token, sensor_poll: 500ms }
sources:
  http: { token_file: %[1]s/password }
  nats: { ack_wait: 2s }
  %[4]s
web: { listen: "%[5]s" }
jobs: { take_over: 5s }
`, p.dir, at, p.sim.URL, more, p.listen))
	return p
}

// body is the n-th event, an hour old, as the forwarder prints it.
func (p *place) body(n int) []byte {
	sensor := n/p.oneIn%sensors + 1
	return fmt.Appendf(nil, `{"type":"ingress.event.procstart","event_type":"proc","sensor_id":%d,"computer_name":"WKS-%04d","timestamp":%d,"pid":%d,"path":"c:\\temp\\evil.exe","process_path":"c:\\temp\\evil.exe","process_guid":"%08x-%04x-%04x-01da-ff710e784000","cb_server":"sim"}`,
		sensor, sensor, anHourAgo, n, sensor, n>>16, n&0xffff)
}

// wanted is the number of jobs that n events give.
func (p *place) wanted(n int) int { return (n + p.oneIn - 1) / p.oneIn }

func (p *place) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// connect connects to the place's bus, which comes and goes with the service
// where it is the service's own.
func (p *place) connect(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{URL: p.bus, User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// freeAddress is an unused address below the range of ephemeral ports, so that no
// other process is given it.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}
