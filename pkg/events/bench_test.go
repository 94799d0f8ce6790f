package events

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// BenchmarkDecode measures each encoding: in full, with only four fields
// scanned, with every kind unwanted, and beside them what encoding/json needs
// for the same JSON (D in matching.md). Messages are the project's own fixtures.
func BenchmarkDecode(b *testing.B) {
	hit, forwarder, sensor := hitFixture(), forwarderFixture(), sensorFixture()
	bundle := bundleOf(sensor, 1000)
	for _, c := range []struct {
		name   string
		msg    Message
		events int
		json   bool
	}{
		{"json", Message{Body: hit, RoutingKey: "watchlist.hit.process"}, 1, true},
		{"forwarder", Message{Body: forwarder}, 1, true},
		{"protobuf", Message{Body: sensor, ContentType: "application/protobuf", Exchange: "api.events"}, 1, false},
		{"bundle", Message{Body: bundle, ContentType: "application/protobuf", Exchange: rawExchange,
			Headers: map[string]string{"sensorId": "42", "sensorHostName": "WS-042"}}, 1000, false},
		{"zip", Message{Body: zipOf(bundle), ContentType: "application/zip", Exchange: rawExchange,
			Headers: map[string]string{"sensorId": "42", "sensorHostName": "WS-042"}}, 1000, false},
	} {
		run := func(name string, each func(msg *Message) int) {
			b.Run(c.name+name, func(b *testing.B) {
				b.SetBytes(int64(len(c.msg.Body)))
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					n += each(&c.msg)
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
			})
		}
		decode := func(d *Decoder) func(*Message) int {
			return func(msg *Message) int {
				n := 0
				for _, err := range d.Events(msg) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				return n
			}
		}
		run("", decode(&Decoder{LazyRaw: true}))
		run("/raw", decode(&Decoder{}))
		scanner, err := (&Decoder{}).Scanner("event.type", "sensor.id", "process.name", "process.command_line")
		if err != nil {
			b.Fatal(err)
		}
		run("/scan", func(msg *Message) int {
			n := 0
			for _, err := range scanner.Events(msg) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			return n
		})
		unwanted := &Decoder{Kinds: NewKindSet(Audit)}
		run("/unwanted", func(msg *Message) int {
			for e, err := range unwanted.Events(msg) {
				b.Fatal(e, err)
			}
			return c.events
		})
		if c.json {
			run("/encoding-json", func(msg *Message) int {
				var m map[string]any
				if err := json.Unmarshal(msg.Body, &m); err != nil {
					b.Fatal(err)
				}
				return 1
			})
		}
	}
}

// hitFixture is a watchlist hit with one document, about 1 KB.
func hitFixture() []byte {
	return []byte(`{"watchlist_id":31,"watchlist_name":"LIVERESPONSE: rundll32 from temp","cb_version":"7.7.1","server_name":"edr01",` +
		`"event_timestamp":1725526410.5,"docs":[{"unique_id":"0000002a-0000-113c-01da-ff710e784000-00000001",` +
		`"id":"0000002a-0000-113c-01da-ff710e784000","segment_id":1,"sensor_id":42,"hostname":"WS-042","group":"Office",` +
		`"process_name":"rundll32.exe","path":"c:\\windows\\system32\\rundll32.exe","cmdline":"rundll32 C:\\Temp\\a.dll,Go",` +
		`"process_pid":4412,"process_md5":"0f0102030405060708090a0b0c0d0e0f","username":"CORP\\ann","start":"2024-09-05T08:53:20.000Z",` +
		`"last_update":"2024-09-05T08:53:25.000Z","parent_name":"winword.exe","parent_pid":812,` +
		`"parent_unique_id":"0000002a-0000-032c-01da-ff6eba6c5c00-00000001","parent_md5":"000000000000000000000000000000",` +
		`"os_type":"windows","host_type":"workstation","comms_ip":-1407246848,"interface_ip":-1407246849,"modload_count":23,` +
		`"filemod_count":1,"regmod_count":0,"netconn_count":2,"childproc_count":0,"crossproc_count":3}]}`)
}

// forwarderFixture is a process start as forwarder 3.8 prints it, about 1 KB.
func forwarderFixture() []byte {
	return []byte(`{"path":"c:\\windows\\system32\\rundll32.exe","md5":"0F0102030405060708090A0B0C0D0E0F","sha256":"",` +
		`"command_line":"rundll32 C:\\Temp\\a.dll,Go","parent_path":"c:\\program files\\office\\winword.exe","parent_pid":812,` +
		`"parent_guid":-5,"filtering_known_dlls":false,"expect_followon_w_md5":false,` +
		`"link_parent":"https://edr.example/#analyze/0000002a-0000-032c-01da-ff6eba6c5c00/1","username":"CORP\\ann",` +
		`"uid":"S-1-5-21-1","parent_create_time":1725525400,"pid":4412,"process_guid":"0000002a-0000-113c-01da-ff710e784000",` +
		`"link_process":"https://edr.example/#analyze/0000002a-0000-113c-01da-ff710e784000/0",` +
		`"link_sensor":"https://edr.example/#/host/42","process_path":"c:\\windows\\system32\\rundll32.exe","cb_server":"edr01",` +
		`"type":"ingress.event.procstart","sensor_id":42,"computer_name":"WS-042","event_type":"proc","timestamp":1725526400}`)
}

// sensorFixture is a module load with its path in the string table, as sensors
// send four of five events.
func sensorFixture() []byte {
	return newSensorEvent().
		strings(7, `c:\windows\system32\kernel32.dll`).
		header(1725526400_000000000, 4412, 1725526390_000000000, `c:\windows\system32\rundll32.exe`).
		member(tagModload, field64(1, 7), fieldBytes(3, bytes.Repeat([]byte{0xAB}, 16))).
		env(42, "WS-042").
		bytes()
}

func bundleOf(event []byte, n int) []byte {
	var b []byte
	for range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(event)))
		b = append(b, event...)
	}
	return b
}

func zipOf(entries ...[]byte) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, e := range entries {
		w, _ := z.Create("EventLog_01DAFF71.42--2024-09-05.log") // a buffer takes everything
		w.Write(e)
	}
	z.Close()
	return out.Bytes()
}
