package intake

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"edrpipe/internal/fleet"
	"edrpipe/internal/telemetry"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// worlds is how many random worlds TestNothingRunsOnAnEndpointThatWasNotMeant draws.
const worlds = "10000"

// serverDrawn is a server of a world and what it has been asked to do. It implements
// edr.Server and edr.Isolator.
type serverDrawn struct {
	Label    string
	Accept   []string
	Mismatch jobs.HostMismatch
	Fleet    []edr.Sensor

	mu       sync.Mutex
	isolated map[string]bool
}

var errNone = errors.New("the world has no such thing")

func (s *serverDrawn) Name() string { return s.Label }

func (s *serverDrawn) Sensor(_ context.Context, id string) (edr.Sensor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.Fleet {
		if one.ID == id {
			one.Isolation = edr.NotIsolated
			if s.isolated[id] {
				one.Isolation = edr.Isolated
			}
			return one, nil
		}
	}
	return edr.Sensor{}, fmt.Errorf("sensor %s: %w", id, edr.ErrUnknownSensor)
}

func (s *serverDrawn) Sensors(_ context.Context, q edr.SensorQuery) ([]edr.Sensor, error) {
	return slices.DeleteFunc(slices.Clone(s.Fleet), func(one edr.Sensor) bool {
		return !strings.Contains(strings.ToLower(one.Hostname), strings.ToLower(q.Hostname))
	}), nil
}

func (s *serverDrawn) Sessions(context.Context) ([]edr.SessionInfo, error)     { return nil, nil }
func (s *serverDrawn) Open(context.Context, string) (edr.Session, error)       { return nil, errNone }
func (s *serverDrawn) Attach(context.Context, string) (edr.Session, error)     { return nil, errNone }
func (s *serverDrawn) CloseSession(context.Context, string) error              { return nil }
func (s *serverDrawn) Commands(context.Context, string) ([]edr.Command, error) { return nil, errNone }

func (s *serverDrawn) SetIsolation(_ context.Context, id string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isolated[id] = on
	return nil
}

// eventDrawn is an event as a sensor's server or forwarder may write it. Empty fields
// are left out.
type eventDrawn struct {
	Server, Bound, ID, Host string
}

func (e eventDrawn) message(n int) events.Message {
	text := fmt.Sprintf(`{"type":"ingress.event.procstart","timestamp":%d,"pid":%d,"path":"c:\\temp\\evil.exe"`, time.Now().Unix(), 100+n)
	for key, value := range map[string]string{"cb_server": e.Server, "computer_name": e.Host} {
		if value != "" {
			text += fmt.Sprintf(",%q:%q", key, value)
		}
	}
	if e.ID != "" {
		text += `,"sensor_id":` + e.ID
	}
	return events.Message{Body: []byte(text + "}"), ContentType: "application/json", Server: e.Bound, Received: time.Now()}
}

// world is a few servers with overlapping ids and host names, and events about them.
type world struct {
	Servers []*serverDrawn
	Events  []eventDrawn
	Read    bool // the directories have been read before the events come
}

// drawWorld draws one. Ids and names come from small pools, so that the same ones are
// found on several servers, on the wrong endpoint after a reinstallation or a renaming,
// and on two endpoints after cloning.
func drawWorld(t *rapid.T) world {
	hosts := []string{"WKS-1", "WKS-2", "FINANCE-DC", "WORKSTATION-0000", "WORKSTATION-0001"}
	spelled := func(host, label string) string {
		switch rapid.IntRange(0, 5).Draw(t, label) {
		case 0:
			return strings.ToLower(host)
		case 1:
			return host + ".corp.example"
		case 2:
			return `CORP\` + host
		case 3:
			return host[:min(len(host), 15)]
		}
		return host
	}
	names := [][]string{{"hq", "cbserver"}, {"branch", "branch"}, {"lab", "lab", "edr.lab.example"}}
	names = names[:rapid.IntRange(1, len(names)).Draw(t, "servers")]
	w := world{Read: rapid.Bool().Draw(t, "directories are read")}
	for i, of := range names {
		s := &serverDrawn{
			Label: of[0], Accept: of[1:], isolated: map[string]bool{},
			Mismatch: rapid.SampledFrom([]jobs.HostMismatch{jobs.MismatchHold, jobs.MismatchHold, jobs.MismatchDeny, jobs.MismatchAllow}).Draw(t, fmt.Sprint("mismatch of ", i)),
		}
		for _, id := range []string{"1", "2", "3"} {
			if rapid.IntRange(0, 4).Draw(t, "missing") == 0 {
				continue
			}
			one := edr.Sensor{ID: id, Hostname: rapid.SampledFrom(hosts).Draw(t, "host of sensor"), OS: edr.Windows, Online: rapid.IntRange(0, 3).Draw(t, "online") > 0}
			s.Fleet = append(s.Fleet, one)
		}
		w.Servers = append(w.Servers, s)
	}
	called := []string{"", "hq", "branch", "lab", "cbserver", "CBSERVER", "edr.lab.example", "edr_lab_example", "elsewhere"}
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		e := eventDrawn{
			Server: rapid.SampledFrom(called).Draw(t, "server in event"), Bound: rapid.SampledFrom([]string{"", "", "hq", "branch", "edr_lab_example", "elsewhere"}).Draw(t, "binding"),
			ID: rapid.SampledFrom([]string{"", "1", "2", "3", "4"}).Draw(t, "id in event"),
		}
		if host := rapid.SampledFrom(append(hosts, "", "ELSEWHERE-1")).Draw(t, "host in event"); host != "" {
			e.Host = spelled(host, "spelling")
		}
		w.Events = append(w.Events, e)
	}
	return w
}

// sameName compares host names as people do who know Windows.
func sameName(server, event string) bool {
	_, event, _ = cutLast(event, `\`)
	event, _, _ = strings.Cut(strings.ToLower(event), ".")
	server = strings.ToLower(server)
	return event == server || len(event) == 15 && server[:min(15, len(server))] == event
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// meant is the endpoint that an event means, by the contract and nothing else; ok is
// false where it means none, or none that can be told.
func (w world) meant(e eventDrawn) (at edr.Endpoint, ok bool) {
	s := w.server(e)
	if s == nil {
		return at, false
	}
	var fits []edr.Sensor
	for _, one := range s.Fleet {
		named := e.Host != "" && sameName(one.Hostname, e.Host)
		switch {
		case e.ID == one.ID && (e.Host == "" || named || s.Mismatch == jobs.MismatchAllow):
			fits = append(fits, one)
		case e.ID == "" && named:
			fits = append(fits, one)
		}
	}
	if len(fits) > 1 { // installed anew: only one of them is there
		fits = slices.DeleteFunc(fits, func(one edr.Sensor) bool { return !one.Online })
	}
	if len(fits) != 1 {
		return at, false
	}
	return edr.Endpoint{Server: s.Label, ID: fits[0].ID}, true
}

// server is the one that an event speaks of; nil: none that is configured.
func (w world) server(e eventDrawn) *serverDrawn {
	if e.Server == "" && e.Bound == "" && len(w.Servers) == 1 {
		return w.Servers[0]
	}
	for _, s := range w.Servers {
		for _, name := range s.Accept {
			if strings.EqualFold(e.Server, name) {
				return s
			}
			if e.Server == "" && (strings.EqualFold(e.Bound, name) || strings.EqualFold(e.Bound, strings.ReplaceAll(name, ".", "_"))) {
				return s
			}
		}
		if e.Server == "" && e.Bound == s.Label {
			return s
		}
	}
	return nil
}

// memoryLedger is an actions.Ledger of one test.
type memoryLedger struct {
	mu sync.Mutex
	of map[string]actions.Containment
}

func (l *memoryLedger) Update(_ context.Context, key string, change func(*actions.Containment) error) (actions.Containment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.of[key]
	if !ok {
		c.Key = key
	}
	if err := change(&c); err != nil {
		return c, err
	}
	l.of[key] = c
	return c, nil
}

// lived is what came of a world.
type lived struct {
	acted    map[edr.Endpoint]bool
	refusals []string // of each event: why nothing was done; "" where something was
}

// live runs the world: its events through decoding, rules, routing and schedulers, on
// its servers.
func (w world) live(ctx context.Context, parts parts) (lived, error) {
	var members []*fleet.Member
	store := new(jobs.Memory)
	ledger := &memoryLedger{of: map[string]actions.Containment{}}
	for _, s := range w.Servers {
		for i := range s.Fleet {
			s.Fleet[i].LastCheckin, s.Fleet[i].NextCheckin = time.Now().Add(-time.Duration(i)*time.Minute), time.Now().Add(30*time.Second)
		}
		m := fleet.NewMember(s.Label, "", s.Accept, s, directory.New(directory.Config{Server: s, Log: zerolog.Nop()}))
		scheduler, err := jobs.New(jobs.Config{
			Server: s, Store: store, Owner: "test", HostMismatch: s.Mismatch, Log: zerolog.Nop(), Prepare: func(t *actions.Task) { t.Ledger = ledger },
		})
		if err != nil {
			return lived{}, err
		}
		m.Scheduler = scheduler
		if w.Read {
			if err := m.Directory.Read(ctx); err != nil {
				return lived{}, err
			}
		}
		members = append(members, m)
	}
	f, err := fleet.New(fleet.Config{Members: members, Store: store, Log: zerolog.Nop()})
	if err != nil {
		return lived{}, err
	}
	set := NewRuleset(parts.live, nil)
	set.Enrich = func(e *events.Event) { f.Arrived(ctx, e) }
	in := New(Config{
		Rules: set, Guard: guard.New(guard.Config{Policy: &guard.Policy{}, Now: time.Now, Log: zerolog.Nop()}), Fleet: f, Metrics: parts.metrics, Tracing: parts.tracing, Now: time.Now, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	out := lived{acted: map[edr.Endpoint]bool{}}
	var made [][]*candidate
	for n, e := range w.Events {
		all, err := in.candidatesFor(ctx, e.message(n))
		if err != nil {
			return out, fmt.Errorf("event %+v: %w", e, err)
		}
		made = append(made, all)
	}
	time.Sleep(time.Minute)
	for i, all := range made {
		why, err := refusalOf(ctx, store, all)
		if err != nil {
			return out, fmt.Errorf("event %+v: %w", w.Events[i], err)
		}
		out.refusals = append(out.refusals, why)
	}
	stop()
	for _, s := range w.Servers {
		for id := range s.isolated {
			out.acted[edr.Endpoint{Server: s.Label, ID: id}] = true
		}
	}
	return out, <-ended
}

// candidatesFor does what the intake does with a message, but for suppression and
// notices, which need a bus; the jobs are enqueued.
func (in *Intake) candidatesFor(ctx context.Context, m events.Message) ([]*candidate, error) {
	f := in.find(m)
	if len(f.found.Rejects)+len(f.found.Failures) > 0 {
		return nil, fmt.Errorf("rejects %v, failures %v", f.found.Rejects, f.found.Failures)
	}
	ours, all := in.ours(&f)
	for i := range ours {
		of, err := in.candidates(ctx, f.set, &ours[i])
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	for _, a := range all {
		if a.makes() {
			if _, err := in.Fleet.Enqueue(ctx, a.job); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// refusalOf is why nothing was done for an event; "" where it was.
func refusalOf(ctx context.Context, store jobs.Store, all []*candidate) (string, error) {
	if len(all) != 1 {
		return "", fmt.Errorf("%d candidates, want one", len(all))
	}
	if a := all[0]; a.reason != "" {
		return a.reason, nil
	}
	j, err := store.Get(ctx, all[0].job.ID)
	if err != nil {
		return "", err
	}
	if j.State == jobs.Succeeded {
		return "", nil
	}
	return cmp.Or(string(j.Reason), "NO REASON: "+string(j.State)), nil
}

// parts are what all worlds share.
type parts struct {
	live    *rules.Live
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing
}

func newParts(t *testing.T) parts {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	const text = "rules:\n  - { id: contain, on: process_start, when: process.name == \"evil.exe\", max_age: any, steps: [ { uses: isolate } ] }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := rules.NewLive(rules.LiveConfig{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	tracing, err := telemetry.NewTracing(t.Context(), "", "test")
	if err != nil {
		t.Fatal(err)
	}
	return parts{live, telemetry.New(), tracing}
}

// TestNothingRunsOnAnEndpointThatWasNotMeant: whatever servers, ids and names events
// have, what is done is done on the endpoint that the event means by the contract;
// where that is known it is done; and every refusal has its reason.
func TestNothingRunsOnAnEndpointThatWasNotMeant(t *testing.T) {
	if !testing.Short() {
		if err := flag.Set("rapid.checks", worlds); err != nil {
			t.Fatal(err)
		}
	}
	shared := newParts(t)
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt) // outside of the bubble: drawing may panic, to shrink
		var out lived
		var err error
		synctest.Test(t, func(t *testing.T) { out, err = w.live(t.Context(), shared) })
		if err != nil {
			rt.Fatal(err)
		}
		allowed := map[edr.Endpoint]bool{}
		for i, e := range w.Events {
			at, ok := w.meant(e)
			if ok {
				allowed[at] = true
			}
			seen[out.refusals[i]]++
			switch why := out.refusals[i]; {
			case strings.HasPrefix(why, "NO REASON"):
				rt.Fatalf("event %+v: %s", e, why)
			case ok && why != "":
				rt.Fatalf("event %+v means %s, and was refused: %s\n%s", e, at, why, w)
			case ok && !out.acted[at]:
				rt.Fatalf("event %+v means %s, where nothing was done\n%s", e, at, w)
			case !ok && why == "":
				rt.Fatalf("event %+v means no endpoint that can be told, and its job succeeded\n%s", e, w)
			}
		}
		for at := range out.acted {
			if !allowed[at] {
				rt.Fatalf("%s was acted on, which no event meant: %+v\n%s", at, w.Events, w)
			}
		}
	})
	for _, reason := range []string{"", otherServer, string(jobs.ReasonOtherHost), string(jobs.ReasonUnknownSensor), rules.NoSensor, rules.SeveralSensors} {
		if seen[reason] == 0 && !testing.Short() {
			t.Errorf("no world had an event that ended as %q: %v", reason, slices.Sorted(maps.Keys(seen)))
		}
	}
	t.Log(seen)
}

// String prints the servers of a world.
func (w world) String() string {
	var b strings.Builder
	for _, s := range w.Servers {
		fmt.Fprintf(&b, "server %s accepts %v, host_mismatch %s:", s.Label, s.Accept, s.Mismatch)
		for _, one := range s.Fleet {
			fmt.Fprintf(&b, " %s=%s(online %v)", one.ID, one.Hostname, one.Online)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
