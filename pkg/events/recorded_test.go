package events

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/fixtures"
)

// readLines decodes a file with one JSON value on each line.
func readLines[T any](t testing.TB, dir, name string) []T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "events", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return all
}

// captured is a Capture with its name, and how many of its parts are no events.
type captured struct {
	Ref     string `json:"ref"`
	Rejects int    `json:"rejects"`
	Capture
}

// expectation is what has to be found in a message. Of made fixtures it says as well
// what is left in the lines of the forwarder: nil where there is no line.
type expectation struct {
	Ref       string         `json:"ref"`
	Expect    map[string]any `json:"expect"`
	Forwarder map[string]any `json:"forwarder"`
	Old       map[string]any `json:"forwarder_3_7"`
}

// decodeAll decodes messages that must have nothing wrong with them.
func decodeAll(t testing.TB, d *Decoder, msgs ...Message) []*Event {
	t.Helper()
	var all []*Event
	for i := range msgs {
		events, rejects := d.Decode(&msgs[i])
		for _, r := range rejects {
			t.Errorf("message %d: rejected: %v", i, r)
		}
		all = append(all, events...)
	}
	return all
}

func TestBusMessages(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		wants := map[string][]map[string]any{}
		for _, e := range readLines[expectation](t, dir, "dev/expect.jsonl") {
			wants[e.Ref] = append(wants[e.Ref], e.Expect)
		}
		for _, c := range readLines[captured](t, dir, "dev/bus.jsonl") {
			t.Run(c.Ref, func(t *testing.T) {
				msg := c.Message()
				events, rejects := new(Decoder).Decode(&msg)
				if len(events) != len(wants[c.Ref]) || len(rejects) != c.Rejects {
					t.Fatalf("%d events, want %d; rejects %v, want %d", len(events), len(wants[c.Ref]), rejects, c.Rejects)
				}
				for i, e := range events {
					compareExpected(t, e, wants[c.Ref][i], exact)
				}
			})
		}
	})
}

// TestEventsInBundles: the single events of each sensor, as the bundle that the raw
// exchange would have had, plain and zipped.
func TestEventsInBundles(t *testing.T) {
	type sensor struct {
		id   int
		host string
	}
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		wants := map[string]map[string]any{}
		for _, e := range readLines[expectation](t, dir, "dev/expect.jsonl") {
			wants[e.Ref] = e.Expect
		}
		bundles, inBundle := map[sensor][]byte{}, map[sensor][]map[string]any{}
		for _, c := range readLines[captured](t, dir, "dev/bus.jsonl") {
			if c.ContentType != "application/protobuf" || c.Exchange == rawExchange {
				continue
			}
			want := wants[c.Ref]
			s := sensor{int(want["sensor_id"].(float64)), want["hostname"].(string)}
			var event []byte
			eachOutsideEnv(string(c.Body), func(part string) { event = append(event, part...) })
			bundles[s] = append(bundles[s], bundleOf(event, 1)...)
			inBundle[s] = append(inBundle[s], want)
		}
		for s, bundle := range bundles {
			headers := map[string]string{"sensorId": fmt.Sprint(s.id), "sensorHostName": s.host}
			for contentType, body := range map[string][]byte{"application/protobuf": bundle, "application/zip": zipOf(bundle)} {
				events := decodeAll(t, &Decoder{}, Message{Body: body, ContentType: contentType, Exchange: rawExchange, Headers: headers})
				if len(events) != len(inBundle[s]) {
					t.Fatalf("%v, %s: %d events, want %d", s, contentType, len(events), len(inBundle[s]))
				}
				for i, e := range events {
					compareExpected(t, e, inBundle[s][i], exact)
				}
			}
		}
	})
}

func TestForwarderLines(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, made bool) {
		compareLines(t, dir, "dev/forwarder.jsonl", func(x expectation) map[string]any {
			if made {
				return x.Forwarder
			}
			return x.Expect
		})
	})
}

func TestOldForwarderLines(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, made bool) {
		compareLines(t, dir, "dev/forwarder-3.7.jsonl", func(x expectation) map[string]any {
			if !made && strings.HasPrefix(x.Expect["type"].(string), "ingress.event.") {
				return x.Expect
			}
			return x.Old
		})
	})
}

// compareLines decodes lines of the forwarder; wanted gives what is expected of the
// line of an expectation, nil where it has none.
func compareLines(t *testing.T, dir, name string, wanted func(expectation) map[string]any) {
	t.Helper()
	var wants []map[string]any
	for _, x := range readLines[expectation](t, dir, "dev/expect.jsonl") {
		if w := wanted(x); w != nil {
			wants = append(wants, w)
		}
	}
	lines := readLines[json.RawMessage](t, dir, name)
	if len(lines) != len(wants) {
		t.Fatalf("%d lines for %d expectations", len(lines), len(wants))
	}
	for i, line := range lines {
		events := decodeAll(t, &Decoder{}, Message{Body: line})
		if len(events) != 1 {
			t.Fatalf("line %d: %d events, want 1", i+1, len(events))
		}
		compareExpected(t, events[0], wants[i], forwarded)
	}
}

// fidelity is what a way of transport leaves of an event.
type fidelity bool

const (
	exact     fidelity = false
	forwarded fidelity = true // the forwarder drops fractions of seconds and some fields
)

// compareExpected compares every field of an expectation.
func compareExpected(t testing.TB, e *Event, want map[string]any, as fidelity) {
	t.Helper()
	var tree map[string]any
	for name, w := range want {
		if strings.Contains(name, ".") { // a field of the event by its own name, also of a line
			if tree == nil {
				tree = asMap(t, e)
			}
			if got := at(tree, name); !same(name, w, got) {
				t.Errorf("%s: %s = %#v, want %#v", e.Event.Type, name, got, w)
			}
			continue
		}
		got, ok := expectedField(e, name)
		if !ok {
			t.Errorf("%s: the test does not know the expected field %q", e.Event.Type, name)
			continue
		}
		if as == forwarded && lostInForwarder(e, name) {
			continue
		}
		if !sameValue(name, got, w, as) {
			t.Errorf("%s: %s = %#v, want %#v", e.Event.Type, name, got, w)
		}
	}
}

// lostInForwarder lists what the forwarder does not print.
func lostInForwarder(e *Event, name string) bool {
	switch name {
	case "creation_observed":
		return true
	case "process_md5":
		switch e.Event.Kind {
		case ChildProcess, ModuleLoad, Blocked, BinaryInfo, ProcessEnd:
			return true
		}
	case "process_path":
		return e.Event.Kind == Blocked
	case "process_pid", "process_guid":
		return e.Event.Kind == Blocked
	}
	return false
}

func sameValue(name string, got, want any, as fidelity) bool {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		if as == forwarded && name == "ts_unix_ns" {
			return ok && math.Trunc(g/1e9) == math.Trunc(w/1e9)
		}
		return ok && math.Abs(g-w) < 1e-3*max(1, math.Abs(w)*1e-9)
	case string:
		if strings.HasSuffix(name, "md5") || name == "md5" {
			w = strings.ToLower(w)
		}
		return got == w
	case bool:
		return got == w
	case []any:
		var list []string
		for _, x := range w {
			list = append(list, fmt.Sprint(x))
		}
		g := got.([]string)
		slices.Sort(list)
		g = slices.Clone(g)
		slices.Sort(g)
		return slices.Equal(list, g)
	}
	return false
}

// expectedField gives the event's value of an expectation's field, as JSON
// would decode it.
func expectedField(e *Event, name string) (any, bool) {
	seconds := func(tm time.Time) float64 {
		if tm.IsZero() {
			return 0
		}
		return float64(tm.UnixNano()) / 1e9
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	pathOf := map[Kind]string{
		ProcessStart: e.Process.Path, ProcessEnd: e.Process.Path, FileChange: e.File.Path, Registry: e.Reg.RawPath,
		ModuleLoad: e.Module.Path, Blocked: e.File.Path, ChildProcess: e.Child.Path,
	}
	md5Of := map[Kind]string{
		ProcessStart: e.Process.MD5, ModuleLoad: e.Module.MD5, Blocked: e.File.MD5, FileChange: e.File.MD5,
	}
	actor := func(of, blocked string) string {
		if e.Event.Kind == Blocked {
			return blocked
		}
		return of
	}
	switch name {
	case "type":
		return e.Event.Type, true
	case "ts":
		return seconds(e.Event.Time), true
	case "ts_unix_ns":
		return float64(e.Event.Time.UnixNano()), true
	case "sensor_id":
		n, _ := strconv.ParseFloat(e.Sensor.ID, 64)
		return n, true
	case "sensor_ids":
		list := []string{}
		for _, id := range e.Sensor.IDs {
			list = append(list, fmt.Sprint(id))
		}
		return list, true
	case "hostname":
		return e.Sensor.Hostname, true
	case "hostnames":
		return e.Sensor.Hostnames, true
	case "groups":
		return e.Sensor.Groups, true
	case "process_guid":
		return e.Process.GUID, true
	case "process_pid":
		return float64(e.Process.PID), true
	case "process_path":
		return e.Process.Path, true
	case "process_md5":
		return e.Process.MD5, true
	case "segment_id":
		return float64(e.Process.Segment), true
	case "path":
		if e.Event.Kind == BinaryInfo {
			return strings.Join(e.Binary.Paths, ";"), true
		}
		return pathOf[e.Event.Kind], true
	case "md5":
		if v := md5Of[e.Event.Kind]; v != "" {
			return v, true
		}
		return first(e.Binary.MD5, e.Process.MD5), true
	case "command_line":
		return actor(e.Process.CommandLine, e.Child.CommandLine), true
	case "username":
		return actor(e.Process.User, e.Child.User), true
	case "uid":
		return e.Process.UID, true
	case "creation_observed":
		return !e.Process.AlreadyRunning, true
	case "parent_guid":
		return e.Process.Parent.GUID, true
	case "parent_pid":
		return float64(e.Process.Parent.PID), true
	case "parent_path":
		return e.Process.Parent.Path, true
	case "child_guid":
		return e.Child.GUID, true
	case "child_pid":
		return float64(e.Child.PID), true
	case "child_path":
		return e.Child.Path, true
	case "child_md5":
		return e.Child.MD5, true
	case "created":
		return e.Child.Created, true
	case "suppressed":
		return e.Child.Suppressed, true
	case "action":
		return first(e.File.Action, e.Reg.Action, e.Target.Action), true
	case "file_type":
		return e.File.Type, true
	case "direction":
		return e.Net.Direction, true
	case "protocol":
		return e.Net.Protocol, true
	case "domain":
		return e.Net.Domain, true
	case "local_ip":
		return e.Net.LocalIP, true
	case "local_port":
		return float64(e.Net.LocalPort), true
	case "remote_ip":
		return e.Net.RemoteIP, true
	case "remote_port":
		return float64(e.Net.RemotePort), true
	case "target_guid":
		return e.Target.GUID, true
	case "target_pid":
		return float64(e.Target.PID), true
	case "target_path":
		return e.Target.Path, true
	case "target_md5":
		return e.Target.MD5, true
	case "requested_access":
		return float64(e.Target.Access), true
	case "is_target":
		return e.Target.IsTarget, true
	case "tamper_type":
		return e.Tamper.Type, true
	case "blocked":
		return e.Exploit.Blocked, true
	case "mitigation":
		return e.Exploit.Mitigation, true
	case "blocked_event":
		return e.Block.Event, true
	case "blocked_result":
		return e.Block.Result, true
	case "signed":
		return e.Binary.SignResult, true
	case "size":
		return float64(e.Binary.Size), true
	case "publisher":
		return e.Binary.Publisher, true
	case "watchlist_id":
		return float64(e.Watchlist.ID), true
	case "watchlist_name":
		return e.Watchlist.Name, true
	case "feed_id":
		return float64(e.Feed.ID), true
	case "feed_name":
		return e.Feed.Name, true
	case "report_id":
		return e.Feed.ReportID, true
	case "report_score":
		return e.Feed.Score, true
	case "ioc_type":
		return e.IOC.Type, true
	case "ioc_value":
		return e.IOC.Value, true
	case "status":
		return e.Alert.Status, true
	case "alert_type":
		return e.Alert.Type, true
	}
	return nil, false
}
