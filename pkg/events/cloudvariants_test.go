package events

import (
	"encoding/json"
	"maps"
	"testing"
)

// The messages that variants change: one of each form, with what forwarders always send.
var cloudBases = map[string]string{
	"alert": `{"version":"2.1.0","org_key":"ORG1","id":"a1","type":"CB_ANALYTICS","severity":7,"is_updated":false,"policy_applied":"APPLIED",
		"detection_timestamp":"2025-11-20T09:14:02.511Z","backend_timestamp":"2025-11-20T09:14:31.002Z","device_id":42,"device_name":"LAB\\WS-1","device_os":"WINDOWS",
		"workflow":{"status":"OPEN","changed_by":"ALERT_CREATION","changed_by_type":"SYSTEM","closure_reason":"NO_REASON"},"determination":{"value":"NONE"},
		"process_guid":"ORG1-0000002a-00001a2c-00000000-1dc59f0a1b2c3d4","process_pid":6700,"process_name":"c:\\a.exe","process_cmdline":"a.exe -x"}`,
	"hit": `{"schema":1,"type":"watchlist.hit","version":"1.0.0","create_time":"2025-11-20T09:14:40.930Z","org_key":"ORG1","device_id":42,"device_name":"WS-1","device_os":"LINUX",
		"severity":8,"ioc_id":"1-0","ioc_hit":"x","report_id":"r","report_name":"R","report_tags":["a"],"watchlists":[{"id":"w1","name":"W1"}],"process_hash":["",""],"process_path":"/bin/a"}`,
	"start": `{"type":"endpoint.event.procstart","version":"1.2.0","org_key":"ORG1","backend_timestamp":"2025-11-20 09:14:20 +0000 UTC","device_timestamp":"2025-11-20 09:13:58.1203451 +0000 UTC",
		"device_id":"42","device_name":"LAB\\WS-1","device_os":"WINDOWS","device_group":"","childproc_guid":"ORG1-0000002a-00001a2c-00000000-1dc59f0a1b2c3d4","childproc_name":"c:\\a.exe",
		"target_cmdline":"a.exe -x","process_guid":"ORG1-0000002a-00000d10-00000000-1dc59f09ffeeddc","process_pid":3344,"process_path":"c:\\b.exe"}`,
	"auth": `{"type":"auth.event","version":"1.0.0","org_key":"ORG1","backend_timestamp":"2025-11-20 09:14:20 +0000 UTC","device_timestamp":"2025-11-20 09:13:58 +0000 UTC","device_id":42,
		"device_name":"WS-1","auth_event_action":"LOGON_FAILED","auth_username":"u","auth_logon_type":10,"auth_remote_port":515,"auth_failure_status":-5,"auth_failed_logon_count":4}`,
	"audit": `{"actor_ip":"10.1.1.2","actor":"a@example.test","create_time":"2025-11-20T12:23:27Z","description":"did","org_key":"ORG1"}`,
}

// A cloudVariant is a base with keys changed (null: the JSON null) and left out, and what
// the event then has by path; nil: nothing.
type cloudVariant struct {
	base string
	set  map[string]any
	drop []string
	want map[string]any
}

var cloudVariants = map[string]cloudVariant{
	"alert as it is": {"alert", nil, nil, map[string]any{"event.type": "alert.cloud.cb_analytics", "event.kind": AlertRaised, "event.server": "ORG1", "sensor.id": "42",
		"sensor.hostname": "WS-1", "sensor.domain": "LAB", "sensor.os": "windows", "alert.key": "ORG1/a1", "alert.severity": 7.0, "alert.status": "OPEN", "process.pid": 6700.0}},
	"an alert of a type that is new": {"alert", map[string]any{"type": "HOST_DECEPTION"}, nil, map[string]any{"event.type": "alert.cloud.host_deception", "event.kind": AlertRaised,
		"alert.type": "HOST_DECEPTION", "sensor.id": "42", "alert.key": "ORG1/a1", "alert.severity": 7.0, "process.name": "a.exe"}},
	"an alert without optional fields": {"alert", nil, []string{"severity", "workflow", "determination", "device_os", "process_pid", "process_guid", "process_cmdline", "policy_applied", "is_updated"},
		map[string]any{"alert.severity": nil, "alert.status": nil, "alert.determination": nil, "sensor.os": nil, "process.pid": nil, "process.command_line": nil, "alert.policy_applied": nil,
			"alert.updated": nil, "alert.key": "ORG1/a1", "sensor.id": "42", "event.flaws": nil}},
	"an alert of nulls": {"alert", map[string]any{"severity": nil, "workflow": nil, "determination": nil, "device_os": nil, "device_name": nil, "process_pid": nil, "process_cmdline": nil, "is_updated": nil, "ttps": nil},
		nil, map[string]any{"alert.severity": nil, "alert.status": nil, "sensor.hostname": nil, "sensor.os": nil, "process.pid": 6700.0, "alert.updated": nil, "alert.ttps": nil, "event.flaws": nil}},
	"an alert of nulls that are text": {"alert", map[string]any{"device_name": "null", "device_os": "null", "device_policy": "null", "device_username": "null", "attack_tactic": "null", "reason": "null",
		"process_cmdline": "null", "process_username": "null", "process_name": "null", "process_guid": "null", "parent_name": "null", "parent_cmdline": "null", "blocked_name": "null"},
		nil, map[string]any{"sensor.hostname": nil, "sensor.hostnames": nil, "sensor.os": nil, "sensor.group": nil, "sensor.user": nil, "alert.tactic": nil, "alert.reason": nil,
			"process.command_line": nil, "process.user": nil, "process.path": nil, "process.name": nil, "process.guid": nil, "process.parent.path": nil, "process.parent.command_line": nil, "block.path": nil, "sensor.id": "42"}},
	"numbers of an alert as text": {"alert", map[string]any{"severity": "7", "device_id": "42", "process_pid": "6700", "is_updated": "true"}, nil,
		map[string]any{"alert.severity": 7.0, "sensor.id": "42", "process.pid": 6700.0, "alert.updated": true, "event.flaws": nil}},
	"false as text": {"alert", map[string]any{"is_updated": "false", "policy_applied": "NOT_APPLIED"}, nil, map[string]any{"alert.updated": nil, "alert.policy_applied": nil, "event.flaws": nil}},
	"an alert of no device": {"alert", map[string]any{"type": "CONTAINER_RUNTIME", "process_guid": "ORG1-00000000-00001a2c-00000000-1dc59f0a1b2c3d4"}, []string{"device_id", "device_name"},
		map[string]any{"sensor.id": nil, "sensor.ids": nil, "sensor.hostname": nil, "event.kind": AlertRaised}},
	"an alert of device 0":              {"alert", map[string]any{"device_id": 0}, []string{"process_guid"}, map[string]any{"sensor.id": nil, "sensor.ids": nil, "sensor.hostname": "WS-1"}},
	"an alert of device 0 as text":      {"alert", map[string]any{"device_id": "0"}, []string{"process_guid"}, map[string]any{"sensor.id": nil, "sensor.ids": nil}},
	"a device that is null as text":     {"alert", map[string]any{"device_id": "null"}, []string{"process_guid"}, map[string]any{"sensor.id": nil, "sensor.ids": nil}},
	"a device that only the GUID tells": {"alert", nil, []string{"device_id"}, map[string]any{"sensor.id": "42"}},
	"an alert without an id":            {"alert", nil, []string{"id"}, map[string]any{"alert.key": nil, "alert.id": nil, "sensor.id": "42"}},
	"a closed alert":                    {"alert", map[string]any{"workflow": map[string]any{"status": "CLOSED", "changed_by": "u", "changed_by_type": nil}}, nil, map[string]any{"alert.status": "CLOSED", "alert.changed_by": "u", "alert.changed_by_type": nil}},
	"a workflow that is text":           {"alert", map[string]any{"workflow": "CLOSED"}, nil, map[string]any{"sensor.id": "42", "alert.key": "ORG1/a1"}},
	"a hit of one watchlist":            {"hit", nil, nil, map[string]any{"event.kind": WatchlistHit, "watchlist.name": "W1", "watchlist.names": []any{"W1"}, "watchlist.ids": []any{"w1"}, "process.md5": nil, "process.sha256": nil}},
	"a hit of several watchlists":       {"hit", map[string]any{"watchlists": []any{map[string]any{"id": "w2", "name": "W2"}, map[string]any{"id": "w1", "name": "W1"}, map[string]any{"id": "w3"}}}, nil, map[string]any{"watchlist.name": "W2", "watchlist.names": []any{"W2", "W1"}, "watchlist.ids": []any{"w2", "w1", "w3"}}},
	"watchlists of nothing and null":    {"hit", map[string]any{"watchlists": []any{nil, "x", 1, map[string]any{}, map[string]any{"id": nil, "name": "null"}, map[string]any{"id": "w1", "name": "W1"}}}, nil, map[string]any{"watchlist.name": "W1", "watchlist.names": []any{"W1"}, "watchlist.ids": []any{"w1"}}},
	"a hit without version and address": {"hit", nil, []string{"version", "schema", "watchlists", "report_tags"}, map[string]any{"event.kind": WatchlistHit, "watchlist.name": nil, "feed.report_tags": nil, "sensor.internal_ip": nil, "sensor.id": "42", "event.flaws": nil}},
	"a severity of a hit as text":       {"hit", map[string]any{"severity": "8", "device_id": "42"}, nil, map[string]any{"alert.severity": 8.0, "sensor.id": "42"}},
	"a start":                           {"start", nil, nil, map[string]any{"event.kind": ProcessStart, "sensor.id": "42", "process.path": `c:\a.exe`, "process.pid": 6700.0, "process.command_line": "a.exe -x", "process.parent.path": `c:\b.exe`, "process.parent.pid": 3344.0}},
	"a start with its numbers as text":  {"start", map[string]any{"process_pid": "3344", "childproc_pid": "6700"}, nil, map[string]any{"process.pid": 6700.0, "process.parent.pid": 3344.0}},
	"a start with a number as device":   {"start", map[string]any{"device_id": 42}, nil, map[string]any{"sensor.id": "42"}},
	"a start without an organisation":   {"start", nil, []string{"org_key"}, map[string]any{"event.server": nil, "sensor.id": "42", "event.kind": ProcessStart}},
	"a start of nulls that are text": {"start", map[string]any{"target_cmdline": "null", "childproc_name": "null", "childproc_username": "null", "process_path": "null", "org_key": "null", "device_name": "null"}, nil,
		map[string]any{"process.path": nil, "process.command_line": nil, "process.user": nil, "process.parent.path": nil, "event.server": nil, "sensor.hostname": nil, "sensor.id": "42", "process.pid": 6700.0}},
	"an organisation that is null":       {"start", map[string]any{"org_key": nil}, nil, map[string]any{"event.server": nil}},
	"a type of endpoint event unknown":   {"start", map[string]any{"type": "endpoint.event.quantum"}, nil, map[string]any{"event.type": "endpoint.event.quantum", "event.kind": Other, "sensor.id": "42", "event.server": "ORG1"}},
	"time without a fraction":            {"start", map[string]any{"device_timestamp": "2025-11-20 09:13:58 +0000 UTC"}, nil, map[string]any{"event.time": "2025-11-20T09:13:58Z", "event.flaws": nil}},
	"a logon":                            {"auth", nil, nil, map[string]any{"event.kind": Audit, "auth.action": "LOGON_FAILED", "auth.logon_type": 10.0, "auth.failure_status": -5.0, "auth.remote_port": 515.0, "sensor.id": "42"}},
	"numbers of a logon as text":         {"auth", map[string]any{"auth_logon_type": "10", "auth_remote_port": "515", "auth_failure_status": "-5", "auth_failed_logon_count": "4"}, nil, map[string]any{"auth.logon_type": 10.0, "auth.failure_status": -5.0, "auth.remote_port": 515.0, "auth.failed_count": 4.0}},
	"a logon of nulls":                   {"auth", map[string]any{"auth_username": nil, "auth_remote_port": nil, "auth_event_action": "null", "auth_failed_logon_count": nil}, nil, map[string]any{"auth.user": nil, "auth.remote_port": nil, "auth.action": nil, "auth.failed_count": nil, "event.flaws": nil}},
	"an audit record":                    {"audit", nil, nil, map[string]any{"event.type": "audit.cloud", "event.kind": Audit, "audit.actor": "a@example.test", "audit.flagged": nil, "event.server": "ORG1", "sensor.id": nil}},
	"a flag of an audit record as text":  {"audit", map[string]any{"flagged": "true", "request_url": "null"}, nil, map[string]any{"audit.flagged": true, "audit.url": nil}},
	"an audit record of no address":      {"audit", nil, []string{"actor_ip"}, map[string]any{"event.type": "audit.cloud", "audit.actor_ip": nil}},
	"an audit record with its type null": {"audit", map[string]any{"type": nil}, nil, map[string]any{"event.type": "audit.cloud", "audit.text": "did"}},
}

// cloudMessage is a variant's message.
func cloudMessage(t testing.TB, v cloudVariant) []byte {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(cloudBases[v.base]), &body); err != nil {
		t.Fatal(err)
	}
	maps.Copy(body, v.set)
	for _, key := range v.drop {
		delete(body, key)
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCloudVariants: what is missing, null, null as text, a number as text or of a type
// that is new makes an event all the same, which has what the message says and nothing else.
func TestCloudVariants(t *testing.T) {
	t.Parallel()
	for name, v := range cloudVariants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, rejects := (&Decoder{}).Decode(&Message{Body: cloudMessage(t, v)})
			if len(events) != 1 || len(rejects) != 0 {
				t.Fatalf("%d events, rejects %v", len(events), rejects)
			}
			got := asMap(t, events[0])
			for path, want := range v.want {
				if have := at(got, path); !same(path, want, have) {
					t.Errorf("%s = %v, want %v", path, have, want)
				}
			}
		})
	}
}

// FuzzCloud decodes what a data forwarder, a search for alerts and the audit log send.
func FuzzCloud(f *testing.F) {
	for _, v := range cloudVariants {
		f.Add(cloudMessage(f, v))
	}
	f.Add([]byte(`{"num_found":2,"results":[` + cloudBases["alert"] + `,{"id":"a2","org_key":"ORG1","type":"WATCHLIST"}]}`))
	f.Add([]byte(`{"eventTime":1529332687006,"loginName":"u","clientIp":"10.1.1.1","orgName":"o","eventId":"e","requestUrl":null,"flagged":false,"description":"d"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		checkMessage(t, &Message{Body: body, ContentType: "application/json", Transport: "cloud", Server: "cloud"})
	})
}
