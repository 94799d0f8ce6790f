package lr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/edr"
)

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("difference (-want +got):\n%s", d)
	}
}

func TestOpenSession(t *testing.T) {
	post := func(do func(f *fake, w http.ResponseWriter, b []byte)) func(*fake, http.ResponseWriter, *http.Request, []byte) bool {
		return first("POST", "/session", func(f *fake, w http.ResponseWriter, _ *http.Request, b []byte) { do(f, w, b) })
	}
	locked := func(f *fake, do func()) {
		f.mu.Lock()
		defer f.mu.Unlock()
		do()
	}
	tests := map[string]struct {
		hook  func(*fake, http.ResponseWriter, *http.Request, []byte) bool
		setup func(*fake)
		want  error
		id    int64
	}{
		"plain": {id: 1},
		"taken, answer lost": {
			hook: post(func(f *fake, w http.ResponseWriter, b []byte) { locked(f, func() { f.open(b) }); drop(w) }), id: 1,
		},
		"500, not taken": {
			hook: post(func(_ *fake, w http.ResponseWriter, _ []byte) { w.WriteHeader(500) }), id: 1,
		},
		"somebody else was faster": {
			hook: post(func(f *fake, w http.ResponseWriter, _ []byte) {
				locked(f, func() { f.open([]byte(`{"check_in_timeout": 1200}`)) })
				http.Error(w, "Sensor 1 has a session", http.StatusConflict)
			}), want: edr.ErrSessionBusy,
		},
		"answers an old session": {
			hook: post(func(_ *fake, w http.ResponseWriter, _ []byte) {
				write(w, object{"id": 3, "sensor_id": 1, "status": "active"})
			}), want: edr.ErrSessionBusy,
		},
		"the sensor is quicker than the answer": {
			hook: post(func(f *fake, w http.ResponseWriter, b []byte) {
				locked(f, func() {
					got := f.open(b)
					got["status"] = "active"
					write(w, got)
				})
			}), id: 1,
		},
		"has one already": {
			setup: func(f *fake) { f.open(nil) }, want: edr.ErrSessionBusy,
		},
		"limit, in words": {
			hook: post(func(_ *fake, w http.ResponseWriter, _ []byte) {
				http.Error(w, "Maximum number of Live Response sessions reached", 500)
			}), want: edr.ErrSessionLimit,
		},
		"limit, by count": {
			setup: func(f *fake) {
				for range 10 {
					f.open(nil)["sensor_id"] = 2
				}
			},
			hook: post(func(_ *fake, w http.ResponseWriter, _ []byte) { w.WriteHeader(500) }), want: edr.ErrSessionLimit,
		},
		"disabled": {
			hook: post(func(_ *fake, w http.ResponseWriter, _ []byte) { w.WriteHeader(412) }), want: edr.ErrDisabled,
		},
		"offline": {
			hook: first("GET", "/sensor/1", func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				write(w, object{"id": "1", "supports_cblr": "true", "status": "Offline"})
			}), want: edr.ErrOffline,
		},
		"no Live Response": {
			hook: first("GET", "/sensor/1", func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				write(w, object{"id": 1, "status": "Online"})
			}), want: edr.ErrUnsupported,
		},
		"unknown": {
			hook: first("GET", "/sensor/1", func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) {
				http.Error(w, "Sensor 1 not found", 404)
			}), want: edr.ErrUnknownSensor,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if tt.setup != nil {
				tt.setup(f)
			}
			f.hook = tt.hook
			s, err := f.client(t).OpenSession(t.Context(), "1")
			if !errors.Is(err, tt.want) || err == nil && tt.want != nil {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil && s.Info().ID != idText(number(tt.id)) {
				t.Errorf("session %s, want %d", s.Info().ID, tt.id)
			}
			if err == nil && len(f.sessions) != int(tt.id) {
				t.Errorf("%d sessions were opened", len(f.sessions))
			}
		})
	}
}

func TestKeepAliveSparesPendingSessions(t *testing.T) {
	f := newFake(t)
	s, err := f.client(t).OpenSession(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.KeepAlive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := f.count("GET " + sessionPath + "/1/keepalive"); n != 0 {
		t.Errorf("%d keepalives to a pending session: that closes it", n)
	}
}

func TestLongCommandKeepsItsSession(t *testing.T) {
	f := newFake(t)
	s := f.session(t, f.client(t, func(c *Config) { c.KeepAlive = time.Millisecond }))
	f.hook = func(f *fake, w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.HasSuffix(r.URL.Path, "/command/1") && f.count("GET "+sessionPath+"/1/keepalive") < 3 {
			write(w, object{"id": 1, "name": "process list", "status": "in progress"})
			return true
		}
		return false
	}
	if _, err := s.Processes(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestSessionEndsDuringCommand covers a server that goes on showing the command
// of a dead session as pending.
func TestSessionEndsDuringCommand(t *testing.T) {
	stale := func(f *fake, w http.ResponseWriter, r *http.Request, _ []byte) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/keepalive"):
			http.Error(w, "Session 1 not found", 404)
			return true
		case strings.HasSuffix(r.URL.Path, "/command/1"):
			write(w, object{"id": 1, "name": "kill", "status": "pending"})
			return true
		}
		return false
	}
	f := newFake(t)
	s := f.session(t, f.client(t, func(c *Config) { c.KeepAlive = time.Millisecond }))
	f.hook = stale
	err := s.Kill(t.Context(), 7)
	if !errors.Is(err, edr.ErrSessionGone) || !errors.Is(err, edr.ErrAmbiguous) {
		t.Errorf("Kill = %v, want ErrSessionGone and ErrAmbiguous", err)
	}
	_, err = s.Command(t.Context(), 1, true)
	if !errors.Is(err, edr.ErrSessionGone) || errors.Is(err, edr.ErrAmbiguous) {
		t.Errorf("Command = %v, want ErrSessionGone alone", err)
	}
}

func TestResultsAndUnsupported(t *testing.T) {
	f := newFake(t)
	s := f.session(t, f.client(t))
	f.finish = func(_ *fake, cmd object) {
		cmd["status"], cmd["result_code"] = "error", "2147942402"
	}
	err := s.DeleteFile(t.Context(), `c:\nothing`)
	var result *edr.ResultError
	if !errors.As(err, &result) || !errors.Is(err, fs.ErrNotExist) || result.Name != "ERROR_FILE_NOT_FOUND" || *result.Command != 1 || result.Session != "1" || result.Sensor != "1" {
		t.Errorf("got %+v", err)
	}
	f.finish = func(_ *fake, cmd object) { cmd["status"] = "canceled" }
	if err := s.DeleteFile(t.Context(), `c:\x`); !errors.Is(err, edr.ErrCancelled) {
		t.Errorf("got %v, want ErrCancelled", err)
	}
	s.info.Commands = []string{"kill"}
	if err := s.MakeDir(t.Context(), `c:\x`); !errors.Is(err, edr.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}

// TestAwait counts looks in virtual time.
func TestAwait(t *testing.T) {
	tests := map[string]struct {
		takes time.Duration
		holds bool          // the server holds requests
		cut   time.Duration // and a proxy cuts them after so long
		looks int           // at most
		late  time.Duration // at most
	}{
		"30 ms, held":                    {takes: 30 * time.Millisecond, holds: true, looks: 1},
		"30 ms, not held":                {takes: 30 * time.Millisecond, looks: 3, late: 20 * time.Millisecond},
		"an hour, held":                  {takes: time.Hour, holds: true, looks: 80},
		"an hour, held and cut at 60 s":  {takes: time.Hour, holds: true, cut: 60 * time.Second, looks: 80},
		"an hour, held but cut at 10 s":  {takes: time.Hour, holds: true, cut: 10 * time.Second, looks: 800, late: maxCommandPoll},
		"an hour, not held":              {takes: time.Hour, looks: 800, late: maxCommandPoll},
		"two seconds, held, cut at once": {takes: 2 * time.Second, holds: true, cut: time.Nanosecond, looks: 25, late: time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{cfg: Config{LongPoll: 50 * time.Second}}
				start := time.Now()
				looks := 0
				err := c.await(t.Context(), edr.Where{}, maxCommandPoll, func(_ context.Context, hold time.Duration) (bool, error) {
					looks++
					left := time.Until(start.Add(tt.takes))
					if !tt.holds {
						hold = 0
					}
					if cut := tt.cut; cut > 0 && cut < hold && cut < left {
						time.Sleep(cut)
						return false, &failure{err: &Error{Status: 504}, passing: true}
					}
					time.Sleep(max(min(hold, left), 0))
					return !time.Now().Before(start.Add(tt.takes)), nil
				})
				if late := time.Since(start) - tt.takes; err != nil || looks > tt.looks || late > tt.late {
					t.Errorf("%d looks, %v late, %v; want at most %d and %v", looks, late, err, tt.looks, tt.late)
				}
			})
		})
	}
}

func TestCancelledContextEndsEverything(t *testing.T) {
	f := newFake(t)
	s := f.session(t, f.client(t))
	f.hook = func(_ *fake, w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodGet {
			<-r.Context().Done()
			return true
		}
		return false
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := s.Processes(ctx)
	if !errors.Is(err, edr.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, edr.ErrAmbiguous) {
		t.Errorf("got %v, want ErrTimeout", err)
	}
	var e *Error
	if !errors.As(err, &e) || *e.Command != 1 || e.Name != "process list" {
		t.Errorf("got %+v, want it to name the command", e)
	}
}

func TestTokenIsNeverShown(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	for _, status := range []int{200, 400, 401, 404, 500} {
		f.hook = func(_ *fake, w http.ResponseWriter, r *http.Request, _ []byte) bool {
			w.WriteHeader(status)
			io.WriteString(w, `{"errorMessage":"X-Auth-Token: `+r.Header.Get("X-Auth-Token")+`\u001b[2J"}`)
			return true
		}
		_, err := c.Info(t.Context())
		if err == nil || strings.Contains(err.Error(), testToken) || strings.Contains(err.Error(), "\x1b") || !strings.Contains(err.Error(), "[token]") {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if f.log.Len() == 0 || bytes.Contains(f.log.Bytes(), []byte(testToken)) {
		t.Errorf("log: %s", f.log.String())
	}
	if _, err := New(Config{URL: "https://user:" + testToken + "@edr.example", Token: testToken}); err == nil || strings.Contains(err.Error(), testToken) {
		t.Errorf("URL with credentials: %v", err)
	}
	if _, err := New(Config{URL: "https://edr.example/?token=" + testToken + "%zz", Token: testToken}); err == nil || strings.Contains(err.Error(), testToken) {
		t.Errorf("URL with the token: %v", err)
	}
}
