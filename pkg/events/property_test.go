package events

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// jsonText writes a value as JSON in one of the many ways that mean the same.
func jsonText(t *rapid.T, v any) string {
	s, ok := v.(string)
	if !ok {
		b, _ := json.Marshal(v)
		return string(b)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		plain, _ := json.Marshal(string(r))
		if r < 0x10000 && rapid.Bool().Draw(t, "escaped") {
			b.WriteString(`\u` + strings.Repeat("0", 4-len(hexOf(uint64(r)))) + hexOf(uint64(r)))
			continue
		}
		b.WriteString(string(plain[1 : len(plain)-1]))
	}
	b.WriteByte('"')
	return b.String()
}

func hexOf(n uint64) string {
	const digits = "0123456789abcdef"
	s := ""
	for ; n > 0; n /= 16 {
		s = string(digits[n%16]) + s
	}
	return s
}

// aValue draws what may stand behind a key: sound values and nonsense.
func aValue() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Map(rapid.SampledFrom([]string{
			"", "0", "42", "-1", "0F0102030405060708090A0B0C0D0E0F", strings.Repeat("ab", 32), strings.Repeat("0", 30),
			"0000002a-0000-113c-01da-ff710e784000", "0000002a-0000-113c-01da-ff710e784000-00000001", "10.0.0.5", "2001:db8::1", "::",
			`c:\windows\system32\cmd.exe`, "/bin/sh", `\registry\machine\x`, "a\x00b", "x\x00", "é", "\U0001F600", "HOST|42", "true", "1725526410.5",
			"2024-09-05T08:53:20.000Z", "https://x/#analyze/0000002a-0000-113c-01da-ff710e784000/1", "https://x/#/host/42",
			`{"direction":"Outbound","remote_ip":"10.0.0.1"}`, "query", "cb.urlver=1&q=a%20b",
		}), func(s string) any { return s }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.IntRange(-3, 70000), func(n int) any { return n }),
		rapid.Map(rapid.Float64Range(0, 4e9), func(f float64) any { return f }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just[any](nil),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"HOST|42", "WS|43", "Office", "", "0F0102030405060708090A0B0C0D0E0F"}), 0, 3),
			func(s []string) any { return s }),
		rapid.Just[any](map[string]any{"direction": "Inbound", "port": 443, "dns_name": "x", "result": "Signed", "publisher": "P"}),
	)
}

// anObject draws a JSON object of known keys, some of them twice.
func anObject(t *rapid.T, more ...string) string {
	var parts []string
	for range rapid.IntRange(0, 25).Draw(t, "keys") {
		name := rapid.SampledFrom(knownKeys.names).Draw(t, "key")
		if name == "docs" || name == "alerts" || name == "event" || name == "specversion" || name == "data" || name == "type" {
			continue
		}
		parts = append(parts, jsonText(t, name)+":"+jsonText(t, aValue().Draw(t, name)))
	}
	parts = append(parts, more...)
	return "{" + strings.Join(parts, rapid.SampledFrom([]string{",", " , ", "\n,\t"}).Draw(t, "comma")) + "}"
}

func someTypes() []string {
	var names []string
	for _, info := range Types() {
		names = append(names, info.Name)
	}
	return append(names, "feed.24.ingress.hit.process", "no.such.type")
}

// TestScanIsDecodeOfGeneratedJSON: no two readings of the same bytes.
func TestScanIsDecodeOfGeneratedJSON(t *testing.T) {
	d := fuzzDecoder()
	all := newScanner(t, d, scannable()...)
	names := someTypes()
	rapid.Check(t, func(t *rapid.T) {
		docs := []string{}
		for range rapid.IntRange(0, 3).Draw(t, "docs") {
			docs = append(docs, anObject(t))
		}
		more := []string{`"type":` + jsonText(t, rapid.SampledFrom(names).Draw(t, "type"))}
		if rapid.Bool().Draw(t, "with docs") {
			more = append(more, `"docs":[`+strings.Join(docs, ",")+`]`)
		}
		text := anObject(t, more...)
		msg := &Message{Body: []byte(text)}
		one, err := d.ScannerByKind(func(k Kind) []string { return []string{rapid.SampledFrom(scannable()).Draw(t, "field of "+k)} })
		if err != nil {
			t.Fatal(err)
		}
		compareFull(t, d, all, msg)
		compareScan(t, d, one, msg)
		events, rejects := d.Decode(msg)
		if len(events)+len(rejects) == 0 {
			t.Fatalf("%s gives nothing", text)
		}
	})
}

// TestCutBundles: whatever is cut off or broken in a bundle, the events before
// it and around it stay.
func TestCutBundles(t *testing.T) {
	samples := sensorEvents()
	rapid.Check(t, func(t *rapid.T) {
		var bundle []byte
		var ends []int
		for range rapid.IntRange(1, 12).Draw(t, "events") {
			e := rapid.SampledFrom(samples).Draw(t, "event")
			bundle = binary.LittleEndian.AppendUint32(bundle, uint32(len(e)))
			bundle = append(bundle, e...)
			ends = append(ends, len(bundle))
		}
		cut := rapid.IntRange(1, len(bundle)).Draw(t, "cut")
		whole := 0
		for _, end := range ends {
			if end <= cut {
				whole++
			}
		}
		tidy := whole > 0 && ends[whole-1] == cut
		msg := &Message{Body: bundle[:cut], Exchange: rawExchange, ContentType: "application/protobuf"}
		events, rejects := new(Decoder).Decode(msg)
		if len(events) != whole {
			t.Fatalf("%d events of %d, %d of them whole", len(events), len(ends), whole)
		}
		if !tidy && (len(rejects) != 1 || rejects[0].Reason != TruncatedBundle) {
			t.Fatalf("rejects = %v, want a truncated bundle", rejects)
		}
	})
}

// TestDecodingCopies: events do not refer to the message's buffer.
func TestDecodingCopies(t *testing.T) {
	for _, msg := range []Message{
		{Body: forwarderFixture()},
		{Body: hitFixture(), RoutingKey: "watchlist.hit.process"},
		{Body: sensorFixture(), ContentType: "application/protobuf"},
		{Body: zipOf(bundleOf(sensorFixture(), 3)), ContentType: "application/zip", Exchange: rawExchange},
	} {
		events, _ := new(Decoder).Decode(&msg)
		want := marshal(t, events[0])
		clear(msg.Body)
		if got := marshal(t, events[0]); got != want {
			t.Errorf("the event has changed with the buffer:\n%s\n%s", got, want)
		}
	}
}
