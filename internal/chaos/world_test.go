//go:build linux

package chaos

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/natsd"
	"edrpipe/internal/testproc"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
)

const (
	busUser     = "edrpipe"
	busPassword = "only-for-this-test"
	ingestToken = "only-for-this-test-too"
	slots       = 4 // what the service may hold; the simulated server would give more
	isolations  = 2 // the budget, of an hour
	rulesFile   = `
rules:
  - id: respond
    on: process_start
    when: process.name == "evil.exe" and event.age < duration("30m")
    steps:
      - { uses: list_processes }
      - { id: once, uses: create_process, with: { program: whoami.exe, args: ["n${{ process.pid }}"] } }
  - id: isolate
    on: process_start
    when: process.name == "worm.exe"
    steps: [ { uses: isolate } ]
  - id: facts
    on: process_start
    when: process.name == "late.exe" and sensor.group == "Workstations"
    steps: [ { uses: list_processes } ]
  - id: hourly
    on: process_start
    when: process.name == "noise.exe"
    suppress: { key: [sensor.id], for: 1h }
    steps: [ { uses: list_processes } ]
`
	guardsFile = `
protected:
  - { name: crown-jewels, sensors: 'sensor.id in ["1", "6231047"]', deny: "*" }
budgets:
  - { name: isolations, actions: isolate, sensors: 2, per: 1h, on_exceed: deny }
`
)

// Sensors by their number in the simulation: the one that guardsFile names, and the
// first of the second group.
const (
	protectedSensor = 1
	firstServer     = 6
)

// shape says how a world is built.
type shape struct {
	nodes     int           // of the bus
	replicas  int           // of the service
	sensors   int           // of each simulated server, besides
	newcomers int           // of each, whose records come late; an even number
	second    string        // kind of a second server; empty: there is none
	late      bool          // the records of endpoints are withheld at first
	disk      int           // MiB of a file system of the bus's own, which can be filled; 0: none
	sync      time.Duration // of the bus's disk
	direct    bool          // no links in between: for measuring
	tapped    bool          // a direct world's replicas reach the bus through a tap all the same
	events    int           // MiB of events that the bus keeps; 0: 32
	sessions  int           // of the service; 0: slots
	poll      time.Duration // of sensors; 0: 500 ms
	sim       edrsim.Config // Fleet, CheckIn and so on; Sensors is set from above
	settings  string        // further lines of pipeline.yaml
	rules     string        // empty: rulesFile

	front func(http.Handler) http.Handler // before the simulated server; nil: nothing
}

// world is everything that a test runs.
type world struct {
	t        testing.TB
	shape    shape
	dir      string
	ports    *ports
	servers  []*server
	nodes    []*process
	replicas []*process
	taps     []*tap      // of each replica; none in a direct world that is not tapped
	clocks   []wallClock // of each replica; none in a direct world
	edrLinks []*link     // of each replica to each EDR server
	busLinks []*link     // of each replica to its bus node
	ballast  string      // file that fills the bus's disk; empty: cannot be
	bus      *bus.Bus
	begun    time.Time
}

func newWorld(t testing.TB, s shape) *world {
	t.Helper()
	w := &world{t: t, shape: s, dir: t.TempDir(), ports: newPorts(t), begun: time.Now()}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	w.addServers()
	w.shape.poll = cmp.Or(s.poll, 500*time.Millisecond)
	w.shape.events = cmp.Or(s.events, 32)
	w.shape.sessions = cmp.Or(s.sessions, slots)
	w.write("state.key", "only-for-this-test-0123456789")
	w.write("ingest.token", ingestToken)
	w.write("bus.password", busPassword)
	w.write("guards.yaml", guardsFile)
	if s.rules == "" {
		s.rules = rulesFile
	}
	w.write("rules/rules.yaml", s.rules)
	addresses := w.addNodes()
	for _, n := range w.nodes {
		w.must(n.Start())
	}
	for _, n := range w.nodes {
		w.must(n.Up(30 * time.Second))
	}
	w.connect(addresses)
	for i := range s.replicas {
		w.addReplica(i, addresses)
		w.must(w.replicas[i].Start())
	}
	for _, r := range w.replicas {
		w.must(r.Up(time.Minute))
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(name, text string) string {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	w.must(os.MkdirAll(filepath.Dir(file), 0o700))
	w.must(os.WriteFile(file, []byte(text), 0o600))
	return file
}

// addServers makes the EDR servers, of Windows endpoints, which have what our rules run.
func (w *world) addServers() {
	w.t.Helper()
	if w.shape.sim.Fleet == nil {
		w.shape.sim.Fleet = []edrsim.SensorSpec{
			{Count: min(firstServer-1, w.shape.sensors), OS: "windows", Group: "Workstations"}, {Count: max(1, w.shape.sensors-firstServer+1), OS: "windows", Group: "Servers"},
		}
		if half := w.shape.newcomers / 2; half > 0 {
			w.shape.sim.Fleet = append(w.shape.sim.Fleet, edrsim.SensorSpec{Count: half, OS: "windows", Group: "Workstations"}, edrsim.SensorSpec{Count: half, OS: "windows", Group: "Servers"})
		}
	}
	of := []string{edrsim.KindEDR}
	if w.shape.second != "" {
		of = append(of, w.shape.second)
	}
	for k, kind := range of {
		s := newServer(w.t, kind, k, w.shape.sim)
		s.withheld.Store(w.shape.late)
		s.newcomers.first, s.newcomers.count = w.shape.sensors+1, w.shape.newcomers
		before := http.Handler(s)
		if w.shape.front != nil {
			before = w.shape.front(s)
		}
		front := httptest.NewServer(before)
		w.t.Cleanup(front.Close)
		s.url = front.URL
		w.write(s.name+".token", s.sim.Token)
		w.servers = append(w.servers, s)
	}
}

// addNodes makes the bus, without starting it, and returns where it listens.
func (w *world) addNodes() (clients []string) {
	w.t.Helper()
	var routes []string
	for range w.shape.nodes {
		clients, routes = append(clients, w.ports.take(w.t)), append(routes, w.ports.take(w.t))
	}
	for i, address := range clients {
		dir := filepath.Join(w.dir, fmt.Sprintf("bus%d", i))
		if w.shape.disk > 0 && smallDisk(w.t, dir, w.shape.disk) {
			w.ballast = filepath.Join(dir, "ballast")
		}
		c := natsd.Config{Dir: filepath.Join(dir, "store"), Listen: address, User: busUser, Pass: busPassword, Sync: w.shape.sync}
		if w.shape.nodes > 1 {
			c.Cluster = &natsd.Cluster{Node: fmt.Sprintf("n%d", i), Listen: routes[i], Routes: routes}
		}
		name := fmt.Sprintf("bus%d", i)
		w.nodes = append(w.nodes, named(w.t, name, testproc.Bus(w.t, c, filepath.Join(w.dir, name+".log"))))
	}
	return clients
}

// connect is the test's own way to the bus, on which nothing is wrong but what
// is wrong with the bus itself.
func (w *world) connect(addresses []string) {
	w.t.Helper()
	b, err := bus.Connect(w.t.Context(), bus.Config{
		URL: "nats://" + strings.Join(addresses, ",nats://"), User: busUser, Password: busPassword, Replicas: w.shape.nodes, Log: zerolog.Nop(),
	})
	w.must(err)
	w.bus = b
	w.t.Cleanup(b.Close)
}

// addReplica makes the i-th replica, with links and a tap of its own.
func (w *world) addReplica(i int, nodes []string) {
	w.t.Helper()
	name := fmt.Sprintf("replica%d", i)
	file := filepath.Join(w.dir, name+".yaml")
	r := named(w.t, name, testproc.New(w.t, replicaRole, file, filepath.Join(w.dir, name+".log")))
	first := i % len(nodes)
	var tapped *tap
	if !w.shape.direct || w.shape.tapped {
		tapped = &tap{victim: r}
		w.taps = append(w.taps, tapped)
	}
	var servers strings.Builder
	for _, s := range w.servers {
		url := s.url
		if !w.shape.direct {
			l := newLink(w.t, fmt.Sprintf("replica %d to EDR %s", i, s.name), w.ports.take(w.t), tapped.before(w.t, s))
			w.edrLinks = append(w.edrLinks, l)
			url = "http://" + l.address()
		}
		servers.WriteString(s.entry(w, url))
	}
	var buses []string
	for k := range nodes { // its own node first
		n := nodes[(first+k)%len(nodes)]
		if tapped != nil {
			tapped.listen(w.t, w.ports.take(w.t), n)
			n = tapped.bus[k]
		}
		if !w.shape.direct {
			l := newLink(w.t, fmt.Sprintf("replica %d to bus", i), w.ports.take(w.t), n)
			w.busLinks = append(w.busLinks, l)
			n = l.address()
		}
		buses = append(buses, "nats://"+n)
	}
	w.write(name+".yaml", fmt.Sprintf(`
data: %[1]s/data%[2]d
state_key_file: %[1]s/state.key
rules: [%[1]s/rules]
guards: %[1]s/guards.yaml
grace: 5s
bus: { url: "%[3]s", user: %[4]s, password_file: %[1]s/bus.password, replicas: %[5]d, events: { bytes: %[8]d } }
servers:
%[6]ssources: { nats: { ack_wait: 5s }, http: { token_file: %[1]s/ingest.token } }
web: { listen: "127.0.0.1:0" }
jobs: { take_over: 5s, offline: 1h }
%[7]s`, w.dir, i, strings.Join(buses, ","), busUser, max(1, len(nodes)), servers.String(), w.shape.settings, w.shape.events<<20))
	if !w.shape.direct {
		w.clocks = append(w.clocks, wallClock{file + clockSuffix})
		w.must(w.clocks[i].set(0))
	}
	w.replicas = append(w.replicas, r)
}
