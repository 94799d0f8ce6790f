package events

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestNormalForms: a field looks the same whatever the source wrote.
func TestNormalForms(t *testing.T) {
	t.Parallel()
	tests := []struct{ message, field, want string }{
		{`{"type":"ingress.event.netconn","remote_ip":"2001:0DB8:0:0:0:0:0:7"}`, "net.remote_ip", "2001:db8::7"},
		{`{"type":"ingress.event.netconn","remote_ip":"::ffff:203.0.113.7"}`, "net.remote_ip", "203.0.113.7"},
		{`{"type":"ingress.event.netconn","local_ip":"fe80::1%eth0"}`, "net.local_ip", "fe80::1"},
		{`{"type":"ingress.event.netconn","domain":"Stage.Example."}`, "net.domain", "stage.example"},
		{`{"type":"ingress.event.netconn","proxy_domain":"P.Example"}`, "net.proxy_domain", "p.example"},
		{`{"type":"ingress.event.netconn","protocol":132}`, "net.protocol", "sctp"},
		{`{"type":"endpoint.event.netconn","remote_ip":"::FFFF:10.1.2.3"}`, "net.remote_ip", "10.1.2.3"},
		{`{"type":"endpoint.event.netconn","netconn_domain":"A.B."}`, "net.domain", "a.b"},
		{`{"type":"feed.ingress.hit.process","ioc_attr":{"dns_name":"C2.Example.","remote_ip":"2001:DB8::A"}}`, "net.domain", "c2.example"},
		{`{"type":"feed.ingress.hit.process","ioc_attr":{"remote_ip":"2001:DB8::A"}}`, "net.remote_ip", "2001:db8::a"},
		{`{"type":"ingress.event.procstart","path":"C:\\Windows\\CMD.EXE"}`, "process.path", `c:\windows\cmd.exe`},
		{`{"type":"ingress.event.procstart","path":"C:\\Windows\\CMD.EXE"}`, "process.name", "cmd.exe"},
		{`{"type":"ingress.event.procstart","path":"\\\\HOST\\Share\\A.exe"}`, "process.path", `\\host\share\a.exe`},
		{`{"type":"ingress.event.procstart","path":"/Applications/Safari.app/Safari"}`, "process.path", "/Applications/Safari.app/Safari"},
		{`{"type":"ingress.event.procstart","path":"/Applications/Safari.app/Safari"}`, "process.name", "Safari"},
		{`{"type":"ingress.event.procstart","path":"C:\\ÄÖ\\Ü.exe"}`, "process.path", `c:\ÄÖ\Ü.exe`},
		{`{"type":"watchlist.hit.process","docs":[{"process_name":"RunDll32.EXE"}]}`, "process.name", "rundll32.exe"},
		{`{"type":"watchlist.hit.process","docs":[{"process_name":"Word","path":"C:\\Word"}]}`, "process.name", "word"},
		{`{"type":"watchlist.hit.process","docs":[{"os_type":"OS X"}]}`, "sensor.os", "osx"},
		{`{"type":"endpoint.event.regmod","regmod_name":"HKU\\S-1-5-21-1\\Software\\X"}`, "reg.path", `HKEY_USERS\s-1-5-21-1\software\x`},
		{`{"type":"endpoint.event.regmod","regmod_name":"HKU\\S-1-5-21-1\\Software\\X"}`, "reg.raw_path", `HKU\S-1-5-21-1\Software\X`},
		{`{"type":"ingress.event.regmod","path":"\\REGISTRY\\MACHINE\\Software\\Run"}`, "reg.path", `HKLM\software\run`},
		{`{"event":{"type":"ingress.event.procstart","kind":"process_start"},"sensor":{"ids":[1],"os":"macOS"},"process":{"path":"C:\\A.EXE","md5":"AB"}}`, "process.md5", "ab"},
	}
	for _, tt := range tests {
		events, rejects := (&Decoder{}).Decode(&Message{Body: []byte(tt.message)})
		if len(rejects) > 0 || len(events) != 1 {
			t.Errorf("%s: %v", tt.message, rejects)
			continue
		}
		f, _ := FieldOf(tt.field)
		if got := f.Text(events[0]); got != tt.want {
			t.Errorf("%s: %s = %q, want %q", tt.message, tt.field, got, tt.want)
		}
	}
}

// TestNormalFormsStay: an event that is decoded again in our own form stays as it is.
func TestNormalFormsStay(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[A-Za-z:\\/.%\[\]0-9 äÄ]{0,24}`)
	rapid.Check(t, func(t *rapid.T) {
		e := &Event{Event: Meta{Type: "ingress.event.procstart", Kind: ProcessStart}}
		for _, path := range []string{"process.path", "process.name", "net.remote_ip", "net.domain", "reg.path", "sensor.os", "file.path"} {
			*fields[path].text(e) = text.Draw(t, path)
		}
		again := func(e *Event) *Event {
			body, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			events, rejects := (&Decoder{}).Decode(&Message{Body: body})
			if len(events) != 1 {
				t.Fatal(rejects)
			}
			return events[0]
		}
		once := again(e)
		twice := again(once)
		for _, path := range filled(once) {
			f, _ := FieldOf(path)
			if f.Type().String() == "string" && f.Text(once) != f.Text(twice) {
				t.Fatalf("%s: %q becomes %q", path, f.Text(once), f.Text(twice))
			}
		}
	})
}

// Lower case by words of eight bytes is the same as by bytes, for every byte.
func TestLowerIsLowerOfEachByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "text"))
		want := []byte(s)
		for i, c := range want {
			if 'A' <= c && c <= 'Z' {
				want[i] = c + 'a' - 'A'
			}
		}
		var pool textPool
		if got := pool.lower(s); got != string(want) {
			t.Fatalf("lower(%q) = %q, want %q", s, got, want)
		}
	})
}
