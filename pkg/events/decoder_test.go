package events

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"
)

// decoded is what a message gives, in a form that tests can name: types of
// events, then reasons of rejects.
func decoded(d *Decoder, msg *Message) string {
	var parts []string
	for e, err := range d.Events(msg) {
		if err != nil {
			parts = append(parts, "!"+string(err.(*Reject).Reason))
			continue
		}
		parts = append(parts, strings.TrimPrefix(e.Event.Type, "ingress.event."))
	}
	return strings.Join(parts, " ")
}

func TestFormsAreTold(t *testing.T) {
	event := sensorFixture()
	bundle := bundleOf(event, 2)
	raw := func(contentType string, body []byte) Message {
		return Message{Body: body, ContentType: contentType, Exchange: rawExchange}
	}
	for _, c := range []struct {
		name string
		msg  Message
		want string
	}{
		{"single event on api.events", Message{Body: event, ContentType: "application/protobuf", Exchange: "api.events"}, "moduleload"},
		{"single event without a length on the raw exchange", raw("application/protobuf", event), "moduleload"},
		{"bundle", raw("application/protobuf", bundle), "moduleload moduleload"},
		{"bundle as zip that is none", raw("application/zip", bundle), "moduleload moduleload"},
		{"zip", raw("application/zip", zipOf(bundle)), "moduleload moduleload"},
		{"zip of two bundles", raw("application/zip", zipOf(bundle, bundle)), "moduleload moduleload moduleload moduleload"},
		{"zip as protobuf", raw("application/protobuf", zipOf(bundle)), "moduleload moduleload"},
		{"event, nothing known", Message{Body: event}, "moduleload"},
		{"bundle, nothing known", Message{Body: bundle}, "moduleload moduleload"},
		{"zip, nothing known", Message{Body: zipOf(bundle)}, "moduleload moduleload"},
		{"JSON, nothing known", Message{Body: forwarderFixture()}, "procstart"},
		{"JSON with a byte order mark", Message{Body: append([]byte("\xef\xbb\xbf"), forwarderFixture()...)}, "procstart"},
		{"empty", Message{}, ""},
		{"blank", Message{Body: []byte(" \r\n")}, ""},
		{"empty bundle", raw("application/protobuf", nil), ""},
		{"noise", Message{Body: []byte("\x00\x01\x02\x03\x04\x05")}, "!unknown_format"},
		{"noise as protobuf", Message{Body: []byte("\xff\xff"), ContentType: "application/protobuf"}, "!bad_protobuf"},
		{"truncated bundle", raw("application/protobuf", bundle[:len(bundle)-1]), "moduleload !truncated_bundle"},
		{"half a length", raw("application/protobuf", bundle[:len(event)+4+2]), "moduleload !truncated_bundle"},
		{"damaged zip", raw("application/zip", zipOf(bundle)[:60]), "!bad_zip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decoded(&Decoder{}, &c.msg); got != c.want {
				t.Errorf("gives %q, want %q", got, c.want)
			}
		})
	}
}

func TestABrokenEventInABundleIsPassedOver(t *testing.T) {
	good := sensorFixture()
	for name, bad := range map[string][]byte{
		"not protobuf": []byte("\xff\xff\xff"),
		"no header":    newSensorEvent().member(tagTamperAlert, field64(1, 3)).bytes(),
		"broken body":  join(fieldBytes(tagHeader, field64(1, 4)), fieldBytes(tagRegmod, []byte{0xff})),
	} {
		t.Run(name, func(t *testing.T) {
			bundle := join(bundleOf(good, 1), bundleOf(bad, 1), bundleOf(good, 1))
			got := decoded(&Decoder{}, &Message{Body: bundle, Exchange: rawExchange})
			if want := "moduleload !bad_protobuf moduleload"; got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}

func TestZipBombsAreRefused(t *testing.T) {
	d := &Decoder{MaxUnzipped: 1 << 20}
	bundle := bundleOf(sensorFixture(), 10)
	lying := zipOf(make([]byte, 2<<20))
	// The directory's entry says that it unpacks to 100 bytes.
	at := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[at+24:], 100)
	for name, body := range map[string][]byte{
		"one entry":              zipOf(make([]byte, 2<<20)),
		"small ones that add up": zipOf(make([]byte, 600<<10), make([]byte, 600<<10)),
		"many entries":           zipOf(slices.Repeat([][]byte{bundle}, maxZipEntries+1)...),
	} {
		t.Run(name, func(t *testing.T) {
			if got := decoded(d, &Message{Body: body, ContentType: "application/zip"}); got != "!zip_bomb" {
				t.Errorf("gives %q, want !zip_bomb", clip(got, 100))
			}
		})
	}
	t.Run("one that lies", func(t *testing.T) {
		got := decoded(d, &Message{Body: lying, ContentType: "application/zip"})
		if !strings.HasSuffix(got, "!bad_zip") && got != "!zip_bomb" {
			t.Errorf("gives %q, want a refusal", clip(got, 100))
		}
	})
}

func TestADamagedZipEntryKeepsWhatCameBefore(t *testing.T) {
	bundle := bundleOf(sensorFixture(), 3)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "x", Method: zip.Store, CRC32: crc32.ChecksumIEEE(bundle) + 1,
		CompressedSize64: uint64(len(bundle)), UncompressedSize64: uint64(len(bundle))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bundle); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	got := decoded(&Decoder{}, &Message{Body: out.Bytes()})
	if want := "moduleload moduleload moduleload !bad_zip"; got != want {
		t.Errorf("gives %q, want %q", got, want)
	}
}

func TestLimits(t *testing.T) {
	big := fmt.Appendf(nil, `{"type":"ingress.event.tamper","x":%q}`, strings.Repeat("x", 2000))
	small := []byte(`{"type":"ingress.event.tamper"}`)
	d := &Decoder{MaxDocument: 1000}
	for _, c := range []struct {
		name, body, want string
	}{
		{"a document too large", string(big) + "\n" + string(small), "!too_large tamper"},
		{"envelopes in envelopes", strings.Repeat(`{"event":`, 9) + "{}" + strings.Repeat("}", 9), "!too_deep"},
		{"deep arrays", `{"type":"ingress.event.tamper","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n" + string(small), "!too_deep tamper"},
		{"a post larger than a document may be", `{"filename":"x","service":"y","alerts":[` + strings.TrimSuffix(strings.Repeat(string(small)+",\n", 40), ",\n") + "]}",
			strings.TrimSpace(strings.Repeat("tamper ", 40))},
		{"brackets in brackets, broken", strings.Repeat(`{"alerts":[`, 5000), "!too_deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decoded(d, &Message{Body: []byte(c.body)})
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("gives %q, want %q", clip(got, 200), c.want)
			}
		})
	}
	t.Run("a sensor event too large", func(t *testing.T) {
		event := newSensorEvent().header(1725526400_000000000, 1, 1725526300_000000000, strings.Repeat("x", 2000)).member(tagTamperAlert).bytes()
		got := decoded(d, &Message{Body: join(bundleOf(event, 1), bundleOf(sensorFixture(), 1))})
		if want := "!too_large moduleload"; got != want {
			t.Errorf("gives %q, want %q", got, want)
		}
	})
}

func TestABrokenEventInAPostDoesNotTakeTheOthersWithIt(t *testing.T) {
	for name, body := range map[string]string{
		"template": "{\"filename\": \"x\", \"service\": \"carbonblack\", \"alerts\":[{\"type\":\"ingress.event.tamper\"}\n, {\"type\":\"ingress\n, {\"type\":\"ingress.event.tamper\"}]}",
		"array":    "[{\"type\":\"ingress.event.tamper\"}\n,{\"type\":]\n,{\"type\":\"ingress.event.tamper\"}]",
		"lines":    "{\"type\":\"ingress.event.tamper\"}\r\n{\"type\":tamper}\r\n{\"type\":\"ingress.event.tamper\"}\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			got := decoded(&Decoder{}, &Message{Body: []byte(body)})
			if want := "tamper !bad_json tamper"; got != want {
				t.Errorf("gives %q, want %q", got, want)
			}
		})
	}
}

func TestUnwantedKindsAreDropped(t *testing.T) {
	var bundle []byte
	for _, e := range sensorEvents() {
		bundle = append(bundle, bundleOf(e, 1)...)
	}
	d := &Decoder{Kinds: NewKindSet(ProcessEnd, Network)}
	if got, want := decoded(d, &Message{Body: bundle}), "procend netconn netconn"; got != want {
		t.Errorf("gives %q, want %q", got, want)
	}
	if got := decoded(d, &Message{Body: forwarderFixture()}); got != "" {
		t.Errorf("a process start gives %q, want nothing", got)
	}
	if got := decoded(&Decoder{Kinds: NewKindSet(Audit)}, &Message{Body: []byte(`{"broken`)}); got != "!bad_json" {
		t.Errorf("broken input gives %q whatever is wanted, want !bad_json", got)
	}
}

func TestEveryKindHasItsPlaceInASet(t *testing.T) {
	for i, k := range Kinds {
		s := NewKindSet(k)
		for j, other := range Kinds {
			if s.Has(other) != (i == j) {
				t.Errorf("set of %s has %s: %v", k, other, s.Has(other))
			}
		}
	}
	if !KindSet(0).Has(Network) {
		t.Error("the zero set does not hold every kind")
	}
	for name, is := range types {
		if bit(is.shape.kind) == 0 {
			t.Errorf("type %s is of kind %q, which is not in Kinds", name, is.shape.kind)
		}
	}
}

// TestTheSameEventHasTheSameID: whatever way it came, and only then.
func TestTheSameEventHasTheSameID(t *testing.T) {
	event := sensorEvents()[0]
	withoutEnv := join() // as in a bundle
	eachOutsideEnv(string(event), func(part string) { withoutEnv = append(withoutEnv, part...) })
	headers := map[string]string{"sensorId": "42", "sensorHostName": "WS-042"}
	id := func(m Message) string {
		events := decodeAll(t, &Decoder{}, m)
		if len(events) == 0 {
			t.Fatal("no event")
		}
		return events[0].Event.ID
	}
	single := id(Message{Body: event, ContentType: "application/protobuf", Received: time.Unix(1725526401, 0), Transport: "amqp"})
	for name, m := range map[string]Message{
		"again, later":        {Body: event, ContentType: "application/protobuf", Received: time.Unix(1725526999, 0), Transport: "nats"},
		"in a bundle":         {Body: bundleOf(withoutEnv, 1), Exchange: rawExchange, Headers: headers},
		"headers in any case": {Body: bundleOf(withoutEnv, 1), Headers: map[string]string{"Sensorid": " 42"}},
		"in a zip":            {Body: zipOf(bundleOf(withoutEnv, 1)), Headers: headers},
	} {
		if got := id(m); got != single {
			t.Errorf("%s: id %s, want %s", name, got, single)
		}
	}
	line := id(Message{Body: forwarderFixture()})
	for name, m := range map[string]Message{
		"another sensor":             {Body: bundleOf(withoutEnv, 1), Headers: map[string]string{"sensorId": "43"}},
		"another server":             {Body: event, ContentType: "application/protobuf", Server: "edr02"},
		"another event":              {Body: sensorEvents()[1], ContentType: "application/protobuf"},
		"the forwarder's text of it": {Body: forwarderFixture()},
	} {
		if got := id(m); got == single {
			t.Errorf("%s has the same id", name)
		}
	}
	for name, body := range map[string]string{
		"array":      "[" + string(forwarderFixture()) + "]",
		"post":       `{"filename":"f","service":"s","alerts":[` + string(forwarderFixture()) + `]}`,
		"HEC":        `{"sourcetype":"x","event":` + string(forwarderFixture()) + `}`,
		"CloudEvent": `{"specversion":"1.0","id":"1","source":"s","type":"t","data":` + string(forwarderFixture()) + `}`,
	} {
		if got := id(Message{Body: []byte(body)}); got != line {
			t.Errorf("in %s: id %s, want %s", name, got, line)
		}
	}
}

func TestSensorIsFoundInOrder(t *testing.T) {
	const guid = "0000002b-0000-113c-01da-ff710e784000" // sensor 43
	for _, c := range []struct {
		name, typ, body string
		id              string
		ids             []string
	}{
		{"top, number", "feed.ingress.hit.process", `{"sensor_id":42,"process_id":"` + guid + `"}`, "42", []string{"42"}},
		{"top, digits", "alert.watchlist.hit.query.process", `{"sensor_id":"42"}`, "42", []string{"42"}},
		{"top is 0", "feed.query.hit.process", `{"sensor_id":0,"process_id":"` + guid + `"}`, "43", []string{"43"}},
		{"document", "watchlist.hit.process", `{"docs":[{"sensor_id":42,"unique_id":"` + guid + `"}]}`, "42", []string{"42"}},
		{"document's unique_id", "watchlist.storage.hit.process", `{"docs":[{"unique_id":"` + guid + `-00000001"}]}`, "43", []string{"43"}},
		{"document's id", "watchlist.hit.process", `{"docs":[{"id":"` + guid + `"}]}`, "43", []string{"43"}},
		{"process_guid", "ingress.event.netconn", `{"process_guid":"` + guid + `"}`, "43", []string{"43"}},
		{"alert's own id is none", "alert.watchlist.hit.query.binary", `{"unique_id":"` + guid + `"}`, "", []string{}},
		{"endpoint, one", "watchlist.storage.hit.binary", `{"docs":[{"endpoint":"HOST|44"}]}`, "44", []string{"44"}},
		{"endpoint, several", "watchlist.hit.binary", `{"docs":[{"endpoint":["HOST|44","WS|45","HOST|44"]}]}`, "", []string{"44", "45"}},
		{"endpoint with bars in the name", "watchlist.hit.binary", `{"docs":[{"endpoint":["A|B|44","broken","X|"]}]}`, "44", []string{"44"}},
		{"link", "ingress.event.tamper", `{"link_sensor":"https://x/#/host/46"}`, "46", []string{"46"}},
		{"only a host", "alert.watchlist.hit.query.binary", `{"hostname":"WS-042"}`, "", []string{}},
		{"a GUID of no sensor", "ingress.event.netconn", `{"process_guid":"00000000-0000-113c-01da-ff710e784000"}`, "", []string{}},
		{"not the usual spelling", "ingress.event.netconn", `{"sensor_id":"0042.0"}`, "42", []string{"42"}},
		{"beyond 31 bits", "ingress.event.netconn", `{"sensor_id":4294967296}`, "", []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			events := decodeAll(t, &Decoder{}, Message{Body: []byte(c.body), RoutingKey: c.typ})
			if len(events) != 1 {
				t.Fatalf("%d events", len(events))
			}
			if s := events[0].Sensor; s.ID != c.id || !slices.Equal(s.IDs, c.ids) {
				t.Errorf("sensor %q of %v, want %q of %v", s.ID, s.IDs, c.id, c.ids)
			}
		})
	}
}

func TestLoadRaw(t *testing.T) {
	d := &Decoder{LazyRaw: true}
	body := `{"watchlist_id":9007199254740993,"big":18446744073709551615,"half":0.5,"docs":[{"id":"a"},{"id":"b"}]}`
	events := decodeAll(t, d, Message{Body: []byte(body), RoutingKey: "watchlist.hit.process"})
	if len(events) != 2 || events[1].Raw != nil {
		t.Fatalf("%d events, raw %v", len(events), events[1].Raw)
	}
	raw := events[1].LoadRaw()
	if got := raw["watchlist_id"]; got != 9007199254740993 {
		t.Errorf("a number beyond 2^53 = %v", got)
	}
	if got := fmt.Sprint(raw["big"]); got != "18446744073709551615" {
		t.Errorf("a number beyond 2^63 = %v", got)
	}
	if got := raw["half"]; got != 0.5 {
		t.Errorf("a fraction = %v", got)
	}
	if got := fmt.Sprint(raw["docs"]); got != "[map[id:b]]" {
		t.Errorf("docs = %v, want the one document", got)
	}
	sensor := decodeAll(t, &Decoder{}, Message{Body: sensorEvents()[0]})
	if got := sensor[0].Raw["process"].(map[string]any)["commandline"]; got != `rundll32 C:\Temp\a.dll,Go` {
		t.Errorf("a sensor event's raw command line = %v", got)
	}
	if got := new(Event).LoadRaw(); got != nil {
		t.Errorf("an event that was not decoded has raw %v", got)
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget on purpose")
	}
	s := newScanner(t, &Decoder{}, "event.type", "sensor.id", "process.name", "process.command_line", "process.parent.name")
	for name, msg := range map[string]Message{
		"forwarder": {Body: forwarderFixture()},
		"hit":       {Body: hitFixture(), RoutingKey: "watchlist.hit.process"},
		"sensor":    {Body: sensorFixture(), ContentType: "application/protobuf"},
	} {
		n := testing.AllocsPerRun(100, func() {
			for range s.Events(&msg) {
			}
		})
		if n > 2 { // the iteration itself
			t.Errorf("%s: %v allocations, want at most 2", name, n)
		}
	}
}

func TestRecordings(t *testing.T) {
	text := "\n{\"type\":\"ingress.event.tamper\"}\n\n{\n \"type\":\n\"ingress.event.regmod\"}\n{\"broken\n{\"type\":\"ingress.event.netconn\",\"x\":\"body_b64\"}"
	var got []string
	d := &Decoder{}
	for rec, err := range ReadRecording(strings.NewReader(text), FormatAuto) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(rec.Line, " ", decoded(d, &rec.Message)))
	}
	want := []string{"2 tamper", "4 regmod", "7 !bad_json", "8 netconn"}
	if !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}

func TestUnknownTypesAreReadByTheirFamily(t *testing.T) {
	for typ, want := range map[string]Kind{
		"audit.log.somethingnew":             Audit,
		"alert.watchlist.hit.future.process": AlertRaised,
		"ingress.event.quantumload":          Other,
		"endpoint.event.quantumload":         Other,
		"something.else":                     Other,
		"feed.24.future.hit.process":         Other,
	} {
		events := decodeAll(t, &Decoder{}, Message{Body: []byte(`{"sensor_id":42,"device_id":42}`), RoutingKey: typ})
		if len(events) != 1 || events[0].Event.Kind != want || events[0].Sensor.ID != "42" && want != Audit {
			t.Errorf("%s gives %+v, want one event of kind %s", typ, events, want)
		}
		if strings.HasPrefix(typ, "audit.") != (len(events[0].Event.Flaws) == 0) {
			t.Errorf("%s has flaws %v", typ, events[0].Event.Flaws)
		}
	}
	cloud := decodeAll(t, &Decoder{}, Message{Body: []byte(`{"org_key":"O","type":"NEW_THING","id":"a1","device_id":"42"}`)})
	if e := cloud[0]; e.Event.Kind != AlertRaised || e.Alert.ID != "a1" || e.Sensor.ID != "42" {
		t.Errorf("a new type of cloud alert gives %+v", e)
	}
}

// TestOurOwnFormIsRead: what convert prints can be published again.
func TestOurOwnFormIsRead(t *testing.T) {
	d := &Decoder{}
	s := newScanner(t, d, scannable()...)
	for _, name := range testdataFiles(t) {
		for _, msg := range fixtureMessages(t, name) {
			events, _ := d.Decode(&msg)
			for _, e := range events {
				want := marshal(t, e)
				again := &Message{Body: []byte(want), Transport: "file"}
				got := decodeAll(t, d, *again)
				if len(got) != 1 {
					t.Fatalf("%d events from %s", len(got), want)
				}
				if got := marshal(t, got[0]); got != want {
					t.Errorf("comes back as\n%s\nwant\n%s", got, want)
				}
				compareFull(t, d, s, again)
			}
		}
	}
	for _, broken := range []string{
		`{"event":{"type":"x","kind":"no such"},"sensor":{}}`, `{"event":{"kind":"file"},"sensor":{}}`, `{"event":{"type":5},"sensor":{}}`,
	} {
		if got := decoded(d, &Message{Body: []byte(broken)}); got != "!bad_envelope" {
			t.Errorf("%s gives %q", broken, got)
		}
	}
}
