package lines_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/internal/fixtures"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/lines"
)

func listenTCP(t testing.TB, syslog bool) *lines.TCP {
	t.Helper()
	src, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}, Syslog: syslog})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func listenUDP(t testing.TB, syslog bool) *lines.UDP {
	t.Helper()
	src, err := lines.ListenUDP(lines.UDPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}, Syslog: syslog})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// dial connects as a sender does, until the test ends.
func dial(t testing.TB, to net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial(to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestOneAddressDoesNotTakeAllConnections: those beyond the bound of an address are closed,
// and another address still gets in.
func TestOneAddressDoesNotTakeAllConnections(t *testing.T) {
	src := listenTCP(t, false)
	r := read(t, src)
	from := func(ip string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		conn, err := d.Dial("tcp", src.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	var last net.Conn
	for range 65 {
		last = from("127.0.0.1")
	}
	if _, err := last.Read(make([]byte, 1)); err == nil {
		t.Error("the connection beyond the bound was answered")
	}
	if _, err := io.WriteString(from("127.0.0.2"), "1\n"); err != nil {
		t.Fatal(err)
	}
	r.want("1")
	r.end()
}

// TestConnectionsThatSendNothing are ended, and so are those that send a byte now and then;
// a sender that was silent for a while and then sends whole messages stays.
func TestConnectionsThatSendNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		idle, within time.Duration
		syslog       bool
		first        string
		trickles     bool
	}{
		"silent":                       {idle: 10 * time.Millisecond},
		"silent after a message":       {idle: 10 * time.Millisecond, first: "1\n"},
		"silent syslog":                {idle: 10 * time.Millisecond, syslog: true},
		"a byte now and then":          {within: 300 * time.Millisecond, trickles: true},
		"a byte of syslog":             {within: 300 * time.Millisecond, trickles: true, syslog: true},
		"a byte after a message":       {within: 300 * time.Millisecond, trickles: true, first: "1\n"},
		"a begun message, then no end": {within: 10 * time.Millisecond, idle: 20 * time.Millisecond, first: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}, Syslog: tc.syslog, Idle: tc.idle, Within: tc.within})
			if err != nil {
				t.Fatal(err)
			}
			r := read(t, src)
			conn := dial(t, src.Addr())
			if _, err := io.WriteString(conn, tc.first); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { _, err := conn.Read(make([]byte, 1)); ended <- err }()
			limit := time.After(10 * time.Second)
			for tick := time.NewTicker(time.Millisecond); ; {
				select {
				case err := <-ended:
					if err == nil {
						t.Error("the source has sent something")
					}
					r.end()
					return
				case m := <-r.got:
					m.Settle(nil)
				case <-limit:
					t.Fatal("the connection is open after ten seconds")
				case <-tick.C:
					if tc.trickles {
						_, _ = io.WriteString(conn, "x") // its end is what is waited for
					}
				}
			}
		})
	}
	t.Run("patient", func(t *testing.T) {
		t.Parallel()
		src, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}, Idle: -1, Within: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		r := read(t, src)
		conn := dial(t, src.Addr())
		for _, text := range []string{"1\n", "2\n", "3\n"} {
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
		}
		r.want("1", "2", "3")
		r.end()
	})
}

// TestNoHandshakeNoPlace: whoever connects to a TLS listener and says nothing is ended.
func TestNoHandshakeNoPlace(t *testing.T) {
	t.Parallel()
	src, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0", TLS: &tls.Config{MinVersion: tls.VersionTLS12}}, Within: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, src)
	conn := dial(t, src.Addr())
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection without a handshake: %v, want its end", err)
	}
	r.end()
}

func TestTCPAndSyslog(t *testing.T) {
	one, two := `{"a":1}`, `{"a":2}`
	header := "<6> 2024-09-05T08:53:22Z edr01 cb-event-forwarder[1]: "
	for _, c := range []struct {
		name   string
		syslog bool
		sent   string
		want   []string
	}{
		{"lines of the forwarder", false, one + "\r\n" + two + "\r\n", []string{one, two}},
		{"a last line without an end", false, one + "\n" + two, []string{one, two}},
		{"syslog of the forwarder", true, header + one + "\n" + header + two + "\n", []string{one, two}},
		{"counted syslog", true, fmt.Sprintf("%d %s%s%d %s%s", len(header)+len(one), header, one, len(header)+len(two), header, two), []string{one, two}},
		{"counted and lines", true, fmt.Sprintf("%d %s\n%s%s\n", len(one), one, header, two), []string{one, two}},
		{"number only, a bug of 3.7.4", true, "<6> 2024-09-05T08:53:22Z edr01 cb[1]: 17\n" + header + two + "\n", []string{"<6> 2024-09-05T08:53:22Z edr01 cb[1]: 17", two}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := listenTCP(t, c.syslog)
			r := read(t, src)
			conn := dial(t, src.Addr())
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			r.want(c.want...)
			r.end()
		})
	}
}

func TestCloseEndsRead(t *testing.T) {
	tcp := listenTCP(t, false)
	udp := listenUDP(t, false)
	conn := dial(t, tcp.Addr())
	for _, src := range []events.Source{tcp, udp} {
		r := read(t, src)
		if src == events.Source(tcp) {
			if _, err := io.WriteString(conn, "x\n"); err != nil {
				t.Fatal(err)
			}
			r.want("x")
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		if err := <-r.done; err != nil {
			t.Errorf("%s: %v", src.Name(), err)
		}
	}
}

func TestUDP(t *testing.T) {
	src := listenUDP(t, true)
	r := read(t, src)
	conn := dial(t, src.Addr())
	for _, datagram := range []string{`{"a":1}`, "<6> 2024-09-05T08:53:22Z edr01 cb[1]: {\"a\":2}\n"} {
		if _, err := io.WriteString(conn, datagram); err != nil {
			t.Fatal(err)
		}
	}
	r.want(`{"a":1}`, `{"a":2}`)
	r.end()
}

func TestWhoMaySend(t *testing.T) {
	if _, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Listen: lines.Listen{Address: "0.0.0.0:0"}}); err == nil {
		t.Error("an address open to everybody was taken")
	}
	if _, err := lines.ListenUDP(lines.UDPConfig{Origin: origin, Listen: lines.Listen{Address: ":0"}}); err == nil {
		t.Error("an address open to everybody was taken")
	}
	src, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0", From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, src)
	conn := dial(t, src.Addr())
	_, _ = io.WriteString(conn, "x\n") // may fail already
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a stranger was served")
	}
	r.end()
}

// TestForwarderOutputs reads what each output of a forwarder sends: the same events.
func TestForwarderOutputs(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		dir = filepath.Join(dir, "events", "wire")
		want := fileEvents(t, dir)
		for file, syslog := range map[string]bool{"tcp.crlf.ndjson": false, "syslog-tcp.txt": true} {
			raw := wireFile(t, dir, file)
			src := listenTCP(t, syslog)
			r := read(t, src)
			conn := dial(t, src.Addr())
			var sending sync.WaitGroup
			sending.Go(func() { _, _ = conn.Write(raw); _ = conn.Close() })
			var got []string
			for range want {
				m := r.next()
				m.Settle(nil)
				got = append(got, string(m.Body))
			}
			sending.Wait()
			r.end()
			if diff := cmp.Diff(want, eventIDs(t, got)); diff != "" {
				t.Errorf("%s (-file +sent):\n%.600s", file, diff)
			}
		}
	})
}

// TestForwarderDatagrams sends what a forwarder's UDP output sends.
func TestForwarderDatagrams(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		dir = filepath.Join(dir, "events", "wire")
		src := listenUDP(t, false)
		r := read(t, src)
		conn := dial(t, src.Addr())
		var got []string
		for datagram := range bytes.Lines(wireFile(t, dir, "udp-datagrams.ndjson")) {
			if _, err := conn.Write(bytes.TrimSpace(datagram)); err != nil {
				t.Fatal(err)
			}
			m := r.next()
			m.Settle(nil)
			got = append(got, string(m.Body))
		}
		r.end()
		if diff := cmp.Diff(fileEvents(t, dir), eventIDs(t, got)); diff != "" {
			t.Errorf("(-file +sent):\n%.600s", diff)
		}
	})
}

func wireFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// fileEvents are the ids of what the forwarder's file output has.
func fileEvents(t *testing.T, dir string) []string {
	t.Helper()
	ids := eventIDs(t, all(t, &lines.File{Origin: origin, Path: filepath.Join(dir, "file.ndjson")}))
	if len(ids) < 78 {
		t.Fatalf("file: %d events, want at least 78", len(ids))
	}
	return ids
}

// eventIDs decodes texts and lists their events' ids, sorted.
func eventIDs(t *testing.T, texts []string) (ids []string) {
	t.Helper()
	var d events.Decoder
	for _, text := range texts {
		for e, err := range d.Events(&events.Message{Body: []byte(text)}) {
			if err != nil {
				t.Errorf("not an event: %v", err)
				continue
			}
			ids = append(ids, e.Event.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
