package directory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is a server that counts what it is asked.
type fleet struct {
	edr.Server
	mu      sync.Mutex
	sensors map[string]edr.Sensor
	down    bool
	lists   int
	singles int
}

func (f *fleet) Name() string { return "hq" }

func (f *fleet) Sensors(context.Context, edr.SensorQuery) ([]edr.Sensor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	if f.down {
		return nil, edr.ErrServer
	}
	var all []edr.Sensor
	for _, s := range f.sensors {
		all = append(all, s)
	}
	return all, nil
}

func (f *fleet) Sensor(_ context.Context, id string) (edr.Sensor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.singles++
	if f.down {
		return edr.Sensor{}, edr.ErrServer
	}
	s, ok := f.sensors[id]
	if !ok {
		return s, edr.ErrUnknownSensor
	}
	return s, nil
}

func newFleet() *fleet {
	return &fleet{sensors: map[string]edr.Sensor{
		"1": {ID: "1", Hostname: "DC-0001", OS: edr.Windows, OSVersion: "Windows Server 2019 Server Standard, 64-bit", Group: "Domain Controllers"},
		"2": {ID: "2", Hostname: "WKS-2.corp.example", OS: edr.Windows, OSVersion: "Windows 10 Enterprise, 64-bit", Group: "Office"},
		"3": {ID: "3", Hostname: "srv-3", OS: edr.Linux, OSVersion: "CentOS 7"},
	}}
}

func eventOf(id, host, typ string) *events.Event {
	e := &events.Event{}
	e.Sensor.ID, e.Sensor.Hostname, e.Sensor.Type = id, host, typ
	if id != "" {
		e.Sensor.IDs = []string{id}
	}
	return e
}

func TestFill(t *testing.T) {
	d := directory.New(directory.Config{Server: newFleet(), Tenant: "acme"})
	if err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Find(t.Context(), "99"); !errors.Is(err, edr.ErrUnknownSensor) {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name         string
		event        *events.Event
		os, grp, typ string
		unknown      events.Facts
	}{
		{"a server by its OS", eventOf("1", "", ""), "windows", "Domain Controllers", "server", 0},
		{"a domain controller by its events", eventOf("1", "", "domain_controller"), "windows", "Domain Controllers", "domain_controller", 0},
		{"the server goes before the event", eventOf("1", "", "workstation"), "windows", "Domain Controllers", "server", 0},
		{"what nobody says is unknown", eventOf("2", "", ""), "windows", "Office", "", events.FactType},
		{"what the event says is kept", eventOf("2", "", "workstation"), "windows", "Office", "workstation", 0},
		{"Linux is no type", eventOf("3", "", ""), "linux", "", "", events.FactType | events.FactGroup},
		{"a type that an earlier event said", eventOf("2", "", ""), "windows", "Office", "workstation", 0},
		{"by host name, without domain and case", eventOf("", "wks-2", ""), "windows", "Office", "workstation", 0},
		{"an id that the server does not have", eventOf("99", "", ""), "", "", "", events.ServerFacts},
		{"a host that the server does not have", eventOf("", "nowhere", ""), "", "", "", events.ServerFacts},
	} {
		d.Fill(tt.event)
		s := tt.event.Sensor
		unknown := s.Unknown() & events.ServerFacts
		if s.OS != tt.os || s.Group != tt.grp || s.Type != tt.typ || unknown != tt.unknown || s.Pending != 0 || s.Server != "hq" || s.Tenant != "acme" {
			t.Errorf("%s: %+v, unknown %s", tt.name, s, unknown)
		}
	}
	several := eventOf("", "", "")
	several.Sensor.IDs = []string{"1", "2"}
	if d.Fill(several); several.Sensor.Group != "" || several.Sensor.Pending != 0 {
		t.Errorf("an event of several endpoints got facts: %+v", several.Sensor)
	}
}

// TestUnreadIsPending: while the server does not answer, facts are neither known nor
// unknown; an id is read once when it does, and no event requests anything.
func TestUnreadIsPending(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	f := newFleet()
	f.down = true
	d := directory.New(directory.Config{Server: f, Now: func() time.Time { return now }})
	if err := d.Read(t.Context()); !errors.Is(err, edr.ErrServer) || d.Whole() {
		t.Fatalf("Read = %v, whole %v", err, d.Whole())
	}
	for range 100 {
		e := eventOf("1", "", "")
		if d.Fill(e); e.Sensor.Pending != events.ServerFacts {
			t.Fatalf("pending %s", e.Sensor.Pending)
		}
	}
	host := eventOf("", "dc-0001", "")
	if d.Fill(host); host.Sensor.Pending == 0 {
		t.Error("a host name of a fleet that was not read is not pending")
	}
	if f.singles != 0 {
		t.Errorf("%d requests of events", f.singles)
	}
	for range 100 {
		if _, err := d.Find(t.Context(), "1"); !errors.Is(err, directory.ErrUnread) {
			t.Fatalf("Find = %v", err)
		}
	}
	if f.singles != 1 {
		t.Errorf("a server that failed was asked %d times", f.singles)
	}
	f.down, now = false, now.Add(time.Minute)
	for range 100 {
		r, err := d.Find(t.Context(), "1")
		if _, none := d.Find(t.Context(), "99"); err != nil || !errors.Is(none, edr.ErrUnknownSensor) || r.Group != "Domain Controllers" {
			t.Fatalf("%+v, %v, %v", r, err, none)
		}
		e, none := eventOf("1", "", ""), eventOf("99", "", "")
		d.Fill(e)
		d.Fill(none)
		if e.Sensor.Group != "Domain Controllers" || e.Sensor.Pending != 0 || none.Sensor.Pending != 0 {
			t.Fatalf("%+v, %+v", e.Sensor, none.Sensor)
		}
	}
	if f.singles != 3 {
		t.Errorf("%d requests for two ids, want one more each", f.singles)
	}
}

func TestReinstalledHostHasSeveralRecords(t *testing.T) {
	f := newFleet()
	f.sensors["4"] = edr.Sensor{ID: "4", Hostname: "DC-0001", OS: edr.Windows}
	d := directory.New(directory.Config{Server: f})
	if err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := d.ByHost("dc-0001.corp"); len(got) != 2 {
		t.Errorf("%d records, want 2", len(got))
	}
	e := eventOf("", "DC-0001", "")
	if d.Fill(e); e.Sensor.Group != "" {
		t.Errorf("facts of one of two records: %+v", e.Sensor)
	}
}

// TestSize measures what 100,000 endpoints take.
func TestSize(t *testing.T) {
	f := &fleet{sensors: map[string]edr.Sensor{}}
	for i := range 100_000 {
		id := fmt.Sprint(i + 1)
		f.sensors[id] = edr.Sensor{
			ID: id, Hostname: "WORKSTATION-" + id, DNSName: "workstation-" + id + ".corp.example", OS: edr.Windows, OSVersion: fmt.Sprintf("Windows 10 Enterprise, 64-bit %d", i%40),
			Group: fmt.Sprintf("Group %d", i%200), IPs: []string{"10.1.2.3"}, LastCheckin: time.Now(),
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := directory.New(directory.Config{Server: f})
	if err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := int64(after.HeapAlloc-before.HeapAlloc) >> 20
	t.Logf("100,000 endpoints take %d MiB", size)
	if size > 100 || d.Len() != 100_000 {
		t.Errorf("%d endpoints take %d MiB, want at most 100", d.Len(), size)
	}
	runtime.KeepAlive(f)
	runtime.KeepAlive(d)
}

func BenchmarkFill(b *testing.B) {
	d := directory.New(directory.Config{Server: newFleet()})
	if err := d.Read(b.Context()); err != nil {
		b.Fatal(err)
	}
	e := eventOf("2", "", "")
	for b.Loop() {
		d.Fill(e)
	}
}

// TestAGroupThatIsNotReadIsPending: a server that tells the record and not the name of
// its group has not told the fact, and a group that was known before stays.
func TestAGroupThatIsNotReadIsPending(t *testing.T) {
	f := newFleet()
	known, unread := f.sensors["1"], f.sensors["2"]
	unread.Group, unread.GroupUnread = "", true
	f.sensors["2"] = unread
	clock := time.Now()
	d := directory.New(directory.Config{Server: f, Now: func() time.Time { return clock }})
	if err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := eventOf("2", "", "")
	if d.Fill(e); e.Sensor.Pending != events.FactGroup || e.Sensor.OS != "windows" {
		t.Errorf("pending %s, os %q", e.Sensor.Pending, e.Sensor.OS)
	}
	requests := f.singles
	d.Fill(eventOf("2", "", ""))
	if f.singles != requests {
		t.Error("a request for each event")
	}
	known.Group, known.GroupUnread = "", true
	d.Note(known)
	if r, err := d.Lookup("1"); err != nil || r.Group != "Domain Controllers" {
		t.Errorf("the group that was known is now %q, %v", r.Group, err)
	}
	unread.Group, unread.GroupUnread = "Office", false
	f.sensors["2"], clock = unread, clock.Add(time.Minute)
	if r, err := d.Find(t.Context(), "2"); err != nil || r.Group != "Office" {
		t.Errorf("read again: group %q, %v", r.Group, err)
	}
	e = eventOf("2", "", "")
	if d.Fill(e); e.Sensor.Pending != 0 || e.Sensor.Group != "Office" {
		t.Errorf("afterwards pending %s, group %q", e.Sensor.Pending, e.Sensor.Group)
	}
}

// TestAnIDAndAHostNameAreNoRecord: a caller that has only these has not read a record,
// and the facts of the endpoint stay pending.
func TestAnIDAndAHostNameAreNoRecord(t *testing.T) {
	f := newFleet()
	f.down = true
	d := directory.New(directory.Config{Server: f})
	d.Note(edr.Sensor{ID: "2", Hostname: "WKS-2"})
	e := eventOf("2", "WKS-2", "")
	if d.Fill(e); e.Sensor.Pending != events.ServerFacts {
		t.Errorf("pending %q, want all that a server tells", e.Sensor.Pending)
	}
}
