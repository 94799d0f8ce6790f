package binaries

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a binary API that counts requests.
type server struct {
	mu   sync.Mutex
	has  map[string]edr.Binary
	err  error
	asks []time.Time
}

func (s *server) Binary(_ context.Context, md5 string) (edr.Binary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks = append(s.asks, time.Now())
	if s.err != nil {
		return edr.Binary{}, s.err
	}
	if b, ok := s.has[md5]; ok {
		return b, nil
	}
	return edr.Binary{}, edr.ErrUnknownBinary
}

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asks)
}

// memoryLog is a log that two stores share.
type memoryLog struct {
	mu      sync.Mutex
	records [][2]string
	seers   []func(string, []byte)
}

func (l *memoryLog) Write(_ context.Context, hash string, record []byte) error {
	l.mu.Lock()
	l.records = append(l.records, [2]string{hash, string(record)})
	seers := l.seers
	l.mu.Unlock()
	for _, see := range seers {
		see(hash, record)
	}
	return nil
}

func (l *memoryLog) Follow(ctx context.Context, see func(string, []byte)) error {
	l.mu.Lock()
	for _, r := range l.records {
		see(r[0], []byte(r[1]))
	}
	l.seers = append(l.seers, see)
	l.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// running starts a store and ends it with the returned function.
func running(t *testing.T, c Config) (*Store, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	s, ended := New(c), make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	return s, func() { cancel(); <-ended }
}

func started(md5 string) *events.Event {
	e := &events.Event{}
	e.Event.Kind, e.Process.MD5, e.Sensor.Server = events.ProcessStart, md5, "hq"
	return e
}

func described(md5, name string) *events.Event {
	e := &events.Event{}
	e.Event.Kind, e.Event.Type, e.Binary.MD5, e.Binary.OriginalName, e.Binary.Product = events.BinaryInfo, "ingress.event.module", md5, name, "(unknown)"
	return e
}

func TestOneRequestABinaryAndABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &server{has: map[string]edr.Binary{}}
		for i := range 20 {
			api.has[fmt.Sprint(i)] = edr.Binary{OriginalName: fmt.Sprint("name", i), SignResult: "Signed"}
		}
		var changed atomic.Int64
		s, end := running(t, Config{Readers: map[string]edr.BinaryReader{"hq": api}, Every: time.Second, Changed: func() { changed.Add(1) }})
		defer end()
		for i := range 20 {
			e := started(fmt.Sprint(i))
			if s.Fill(e); e.Image.Known || e.Sensor.Pending != events.FactImage {
				t.Fatalf("before the answer: known %v, pending %v", e.Image.Known, e.Sensor.Pending)
			}
			for range 3 {
				s.Want(e)
			}
		}
		time.Sleep(30 * time.Second)
		if api.requests() != 20 || changed.Load() != 20 {
			t.Errorf("%d requests, %d changes; want one of each of 20 binaries", api.requests(), changed.Load())
		}
		for i, at := range api.asks[1:] {
			if at.Sub(api.asks[i]) < time.Second {
				t.Fatalf("request %d came %v after the one before", i+1, at.Sub(api.asks[i]))
			}
		}
		e := started("7")
		if s.Fill(e); e.Image.OriginalName != "name7" || !e.Image.Signed || e.Sensor.Pending != 0 {
			t.Errorf("after the answer: %+v, pending %v", e.Image, e.Sensor.Pending)
		}
	})
}

func TestABinaryThatTheServerLacksMayYetBeReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &server{}
		s, end := running(t, Config{Readers: map[string]edr.BinaryReader{"hq": api}})
		defer end()
		pending := func() bool {
			e := started("a")
			s.Fill(e)
			s.Want(e)
			synctest.Wait()
			return e.Sensor.Pending == events.FactImage
		}
		if !pending() {
			t.Error("not pending before the first request")
		}
		time.Sleep(5 * time.Minute)
		if !pending() || api.requests() != 1 {
			t.Errorf("5 minutes after the answer that there is none: %d requests, and it must be pending", api.requests())
		}
		time.Sleep(10 * time.Minute)
		if pending() || api.requests() != 1 {
			t.Errorf("15 minutes after it: %d requests, and it must be unknown", api.requests())
		}
		time.Sleep(time.Hour)
		if !pending() || api.requests() != 2 {
			t.Errorf("an hour later it must be requested again: %d requests", api.requests())
		}
		s.Learn(described("a", "a.exe"))
		e := started("a")
		if s.Fill(e); e.Image.OriginalName != "a.exe" || e.Image.Product != "" {
			t.Errorf("after the report: %+v", e.Image)
		}
	})
}

func TestAServerThatFailsIsLeftInPeace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &server{err: errors.New("down"), has: map[string]edr.Binary{"a": {OriginalName: "a"}, "b": {OriginalName: "b"}}}
		s, end := running(t, Config{Readers: map[string]edr.BinaryReader{"hq": api}})
		defer end()
		s.Want(started("a"))
		s.Want(started("b"))
		time.Sleep(5 * time.Minute)
		if n := api.requests(); n < 9 || n > 11 {
			t.Errorf("%d requests in 5 minutes to a server that fails, want one each 30 s", n)
		}
		api.mu.Lock()
		api.err = nil
		api.mu.Unlock()
		time.Sleep(time.Minute)
		for _, md5 := range []string{"a", "b"} {
			e := started(md5)
			if s.Fill(e); e.Image.OriginalName != md5 {
				t.Errorf("binary %s after the server is back: %+v", md5, e.Image)
			}
		}
	})
}

func TestReplicasShareWhatTheyLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memoryLog{}
		a, endA := running(t, Config{Log: log})
		b, endB := running(t, Config{Log: log})
		synctest.Wait()
		a.Learn(described("a", "tool.exe"))
		a.Learn(described("a", "tool.exe"))
		synctest.Wait()
		e := started("a")
		if b.Fill(e); e.Image.OriginalName != "tool.exe" {
			t.Errorf("the other replica knows %+v", e.Image)
		}
		if len(log.records) != 1 {
			t.Errorf("%d records of one binary", len(log.records))
		}
		log.records = append(log.records, [2]string{"b", `{"md5":"c","image":{"known":true}}`}, [2]string{"d", `nonsense`})
		endA()
		endB()
		c, endC := running(t, Config{Log: log})
		synctest.Wait()
		defer endC()
		if n, _ := c.Size(); n != 1 {
			t.Errorf("after a restart %d binaries are known, want the one whose record is right", n)
		}
	})
}

func TestMemoryIsBoundedInBytes(t *testing.T) {
	const max = 100_000
	s := New(Config{Bytes: max})
	for i := range 2_000 {
		s.Learn(described(fmt.Sprintf("%032d", i), "name.exe"))
		if _, bytes := s.Size(); bytes > max {
			t.Fatalf("%d bytes after %d binaries, want at most %d", bytes, i+1, max)
		}
	}
	first, last := started(fmt.Sprintf("%032d", 0)), started(fmt.Sprintf("%032d", 1_999))
	s.Fill(first)
	s.Fill(last)
	if n, _ := s.Size(); first.Image.Known || !last.Image.Known || n < 100 {
		t.Errorf("%d binaries; the oldest must be forgotten (%v) and the newest known (%v)", n, !first.Image.Known, last.Image.Known)
	}
}

func TestAModuleIsFoundByEitherHash(t *testing.T) {
	s := New(Config{})
	d := described("a", "lib.dll")
	d.Binary.SHA256 = "b"
	s.Learn(d)
	e := &events.Event{}
	e.Event.Kind, e.Module.SHA256, e.Process.MD5 = events.ModuleLoad, "b", "other"
	if s.Fill(e); e.Image.OriginalName != "lib.dll" {
		t.Errorf("image %+v", e.Image)
	}
	hit := described("c", "")
	hit.Event.Kind, hit.Event.Type = events.WatchlistHit, "watchlist.hit.binary"
	s.Learn(hit)
	e = started("c")
	if s.Fill(e); e.Image.Known {
		t.Error("a hit that names a binary without its metadata makes it known")
	}
}
