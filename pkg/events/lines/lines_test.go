package lines_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
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
	tcp := listenTCP(t, false)
	conn := dial(t, tcp.Addr())
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
