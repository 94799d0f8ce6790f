package lines_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pierrec/lz4/v4"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/lines"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	origin = lines.Origin{Server: "edr01", Log: zerolog.Nop()}
	quick  = lines.Limits{Retry: time.Millisecond, Drain: 10 * time.Millisecond}
)

// reading is a Read in the background.
type reading struct {
	t    testing.TB
	got  chan events.Message
	done chan error
	stop context.CancelFunc
}

func read(t testing.TB, src events.Source) *reading {
	ctx, cancel := context.WithCancel(t.Context())
	r := &reading{t: t, got: make(chan events.Message), done: make(chan error, 1), stop: cancel}
	go func() {
		r.done <- src.Read(ctx, func(ctx context.Context, m events.Message) error {
			select {
			case r.got <- m:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	return r
}

func (r *reading) next() events.Message {
	r.t.Helper()
	select {
	case m := <-r.got:
		return m
	case err := <-r.done:
		r.t.Fatalf("read ended: %v", err)
	case <-time.After(20 * time.Second):
		r.t.Fatal("no line")
	}
	return events.Message{}
}

// want takes lines, settles them and compares.
func (r *reading) want(texts ...string) {
	r.t.Helper()
	for _, want := range texts {
		m := r.next()
		if got := string(m.Body); got != want {
			r.t.Fatalf("line %.60q, want %.60q", got, want)
		}
		m.Settle(nil)
	}
}

func (r *reading) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("read: %v", err)
	}
}

// all reads a source to its end.
func all(t testing.TB, src events.Source) (texts []string) {
	t.Helper()
	err := src.Read(t.Context(), func(_ context.Context, m events.Message) error {
		texts = append(texts, string(m.Body))
		m.Settle(nil)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func gzipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(content)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStream(t *testing.T) {
	var packed bytes.Buffer
	z := lz4.NewWriter(&packed)
	if _, err := io.WriteString(z, "{\"a\":1}\n{\"a\":2}\n"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	both := []string{`{"a":1}`, `{"a":2}`}
	for _, c := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"lines", []byte("{\"a\":1}\n{\"a\":2}\n"), both},
		{"no end of the last line, CRLF, empty lines", []byte("{\"a\":1}\r\n\r\n\n{\"a\":2}"), both},
		{"gzip", gzipped(t, "{\"a\":1}\n{\"a\":2}\n"), both},
		{"lz4", packed.Bytes(), both},
		{"nothing", nil, nil},
		{"too long", []byte(strings.Repeat("x", 200_000) + "\nshort\n"), []string{strings.Repeat("x", 100_000), "short"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := all(t, &lines.Stream{Origin: origin, Limits: lines.Limits{Line: 100_000}, From: bytes.NewReader(c.in)})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%.500s", diff)
			}
		})
	}
}

func TestMessageSaysWhereItCameFrom(t *testing.T) {
	r := read(t, &lines.Stream{Origin: origin, From: strings.NewReader("x\n")})
	m := r.next()
	if m.Transport != "stdin" || m.Server != "edr01" || m.Received.IsZero() {
		t.Errorf("message = %+v", m)
	}
	m.Settle(nil)
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

func TestAFailedLineComesAgainAndNothingIsReadBeyondTheBound(t *testing.T) {
	var in strings.Builder
	for i := range 100 {
		fmt.Fprintln(&in, i)
	}
	limits := quick
	limits.Pending = 10
	src := &lines.Stream{Origin: origin, Limits: limits, From: strings.NewReader(in.String())}
	var mu sync.Mutex
	var kept []events.Message
	seen := map[string]int{}
	full := make(chan struct{})
	err := func() error {
		done := make(chan error)
		go func() {
			done <- src.Read(t.Context(), func(_ context.Context, m events.Message) error {
				mu.Lock()
				defer mu.Unlock()
				seen[string(m.Body)]++
				if kept == nil && len(seen) <= 10 && seen[string(m.Body)] == 1 {
					if len(seen) == 10 {
						defer close(full)
					}
					m.Settle(errors.New("not now"))
					return nil
				}
				m.Settle(nil)
				return nil
			})
		}()
		<-full
		return <-done
	}()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		want := 1
		if i < 10 {
			want = 2
		}
		if got := seen[fmt.Sprint(i)]; got != want {
			t.Errorf("line %d came %d times, want %d", i, got, want)
		}
	}
}

func TestStoppedWhileInputIsAwaited(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	r := read(t, &lines.Stream{Origin: origin, Limits: quick, From: in})
	r.end()
}

func TestAHandlersErrorIsFinal(t *testing.T) {
	broken := errors.New("store is gone")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "a\nb\n")
	tcp, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "a\nb\n"); err != nil {
		t.Fatal(err)
	}
	for _, src := range []events.Source{
		&lines.Stream{Origin: origin, Limits: quick, From: strings.NewReader("a\nb\n")},
		&lines.File{Origin: origin, Limits: quick, Path: filepath.Join(dir, "f"), Follow: true},
		tcp,
	} {
		calls := 0
		err := src.Read(t.Context(), func(context.Context, events.Message) error { calls++; return broken })
		if !errors.Is(err, broken) || calls != 1 {
			t.Errorf("%s: %v after %d calls, want the handler's error after one", src.Name(), err, calls)
		}
	}
}

func TestAHandlerThatGivesUpAtTheEndDoesNotHoldItUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "a\nb\n")
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	f := &lines.File{Origin: origin, Limits: lines.Limits{Drain: time.Minute}, Path: path, Follow: true}
	err := f.Read(ctx, func(ctx context.Context, _ events.Message) error { cancel(); return ctx.Err() })
	if took := time.Since(began); err != nil || took > 30*time.Second {
		t.Errorf("read ended with %v after %v; want no error, at once", err, took)
	}
}

func TestFileIsReadFromTheRememberedPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json")
	f := &lines.File{Origin: origin, Limits: quick, Path: path, Place: filepath.Join(dir, "place")}
	write(t, path, "1\n2\n3\n4\n")
	r := read(t, f)
	r.want("1", "2")
	three := r.next()
	r.want("4") // settled before 3 is
	r.end()
	three.Settle(errors.New("disk full"))

	if diff := cmp.Diff([]string{"3", "4"}, all(t, f)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	appendTo(t, path, "5\n")
	if diff := cmp.Diff([]string{"5"}, all(t, f)); diff != "" {
		t.Errorf("after the file grew (-want +got):\n%s", diff)
	}
	if got := all(t, f); got != nil {
		t.Errorf("with nothing new: %q", got)
	}
}

func TestPackedFileIsReadFromTheRememberedPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json.gz")
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "{\"n\":%d}\n", i)
	}
	if err := os.WriteFile(path, gzipped(t, text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &lines.File{Origin: origin, Limits: quick, Path: path, Place: filepath.Join(dir, "place")}
	r := read(t, f)
	for i := range 700 {
		r.want(fmt.Sprintf(`{"n":%d}`, i))
	}
	r.end()
	if got := all(t, f); len(got) != 300 || got[0] != `{"n":700}` {
		t.Errorf("%d lines from %.20q, want 300 from 700", len(got), got)
	}
}

// long is a line that makes the beginnings of files differ.
func long(name string) string { return name + strings.Repeat(".", 50) }

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json")
	f := &lines.File{Origin: origin, Limits: quick, Path: path, Place: filepath.Join(dir, "place"), Follow: true, Poll: 20 * time.Millisecond}
	r := read(t, f)
	write(t, path, long("a")+"\n"+"b") // it appears
	r.want(long("a"))
	appendTo(t, path, "b\nc\n") // half a line is finished
	r.want("bb", "c")

	rename(t, path, path+".20240905") // rotated, with a last line that has no end
	appendTo(t, path+".20240905", "d")
	write(t, path, long("e")+"\n")
	r.want("d", long("e"))

	write(t, path, "f\n") // cut and begun again (copytruncate)
	r.want("f")
	write(t, path, long("g")+"\n"+long("h")+"\n") // and again, longer than before
	r.want(long("g"), long("h"))
	r.end()

	// While nobody reads: two rotations.
	appendTo(t, path, "i\n")
	rename(t, path, path+".1")
	write(t, path, long("j")+"\n")
	if err := os.WriteFile(path+".2.gz", gzipped(t, long("j")+"\nk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(path+".2.gz", later, later); err != nil {
		t.Fatal(err)
	}
	write(t, path, long("l")+"\n")
	r = read(t, f)
	r.want("i", long("j"), "k", long("l"))
	appendTo(t, path, "m\n")
	r.want("m")
	r.end()
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.json.gz")
	if err := os.WriteFile(path, gzipped(t, "a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bad"), "{")
	for _, c := range []struct {
		name string
		f    lines.File
		want string
	}{
		{"missing", lines.File{Path: filepath.Join(dir, "none")}, "no such file"},
		{"packed and followed", lines.File{Path: path, Follow: true}, "cannot be followed"},
		{"damaged place", lines.File{Path: path, Place: filepath.Join(dir, "bad")}, "delete it to begin at the beginning"},
		{"place that cannot be written", lines.File{Path: path, Place: filepath.Join(dir, "none", "place")}, "remember the place"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f.Origin, c.f.Limits = origin, quick
			err := c.f.Read(t.Context(), func(_ context.Context, m events.Message) error { m.Settle(nil); return nil })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
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
			src, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}, Syslog: c.syslog})
			if err != nil {
				t.Fatal(err)
			}
			r := read(t, src)
			conn, err := net.Dial("tcp", src.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
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
	tcp, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	udp, err := lines.ListenUDP(lines.UDPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
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
	src, err := lines.ListenUDP(lines.UDPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}, Syslog: true})
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, src)
	conn, err := net.Dial("udp", src.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
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
	conn, err := net.Dial("tcp", src.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "x\n") // may fail already
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a stranger was served")
	}
	r.end()
}

// TestForwarderOutputs reads what each output of a real forwarder sent: the same
// 78 events.
func TestForwarderOutputs(t *testing.T) {
	dir := "../../../../shared/data/events/wire"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the recorded outputs are not here")
	}
	want := eventIDs(t, all(t, &lines.File{Origin: origin, Path: filepath.Join(dir, "file.ndjson")}))
	if len(want) != 78 {
		t.Fatalf("file: %d events, want 78", len(want))
	}
	for file, syslog := range map[string]bool{"tcp.crlf.ndjson": false, "syslog-tcp.txt": true} {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		src, err := lines.ListenTCP(lines.TCPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}, Syslog: syslog})
		if err != nil {
			t.Fatal(err)
		}
		r := read(t, src)
		conn, err := net.Dial("tcp", src.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
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
}

// TestForwarderDatagrams sends what a real forwarder's UDP output sent.
func TestForwarderDatagrams(t *testing.T) {
	dir := "../../../../shared/data/events/wire"
	raw, err := os.ReadFile(filepath.Join(dir, "udp-datagrams.ndjson"))
	if err != nil {
		t.Skip("the recorded outputs are not here")
	}
	src, err := lines.ListenUDP(lines.UDPConfig{Origin: origin, Limits: quick, Listen: lines.Listen{Address: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, src)
	conn, err := net.Dial("udp", src.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var got []string
	for datagram := range bytes.Lines(raw) {
		if _, err := conn.Write(bytes.TrimSpace(datagram)); err != nil {
			t.Fatal(err)
		}
		m := r.next()
		m.Settle(nil)
		got = append(got, string(m.Body))
	}
	r.end()
	want := eventIDs(t, all(t, &lines.File{Origin: origin, Path: filepath.Join(dir, "file.ndjson")}))
	if diff := cmp.Diff(want, eventIDs(t, got)); diff != "" {
		t.Errorf("(-file +sent):\n%.600s", diff)
	}
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

func ExampleFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "events.json")
	if err := os.WriteFile(path, []byte("{\"n\":1}\n{\"n\":2}\n"), 0o600); err != nil {
		panic(err)
	}
	f := &lines.File{Path: path, Place: filepath.Join(dir, "place")}
	for range 2 { // the second time there is nothing new
		err := f.Read(context.Background(), func(_ context.Context, m events.Message) error {
			fmt.Printf("%s\n", m.Body)
			m.Settle(nil)
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	// Output:
	// {"n":1}
	// {"n":2}
}
