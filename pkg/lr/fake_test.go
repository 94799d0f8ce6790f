package lr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// object is a JSON object.
type object = map[string]any

// fake is a server small enough to be wrong in exactly one way: a test replaces
// one answer by setting a hook. pkg/edrsim is the faithful one.
type fake struct {
	*httptest.Server
	log bytes.Buffer

	mu       sync.Mutex
	requests []string // method and path, in order
	sessions []object
	commands map[int][]object // by session
	files    map[string][]byte
	// hook may answer a request instead of the fake; it returns true if it did.
	hook func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) bool
	// finish gives a command its result; nil: it completes without any.
	finish func(f *fake, cmd object)
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{commands: map[int][]object{}, files: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Server.Close)
	return f
}

// client returns a client that does not wait long for anything.
func (f *fake) client(t *testing.T, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		URL: f.URL, Token: testToken, Tries: 3, Backoff: time.Millisecond, Settle: 60 * time.Millisecond,
		RequestTimeout: 5 * time.Second, LongPoll: -1, Log: zerolog.New(zerolog.SyncWriter(&f.log)).Level(zerolog.TraceLevel),
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

// session returns an open, active session on sensor 1.
func (f *fake) session(t *testing.T, c *Client) *Session {
	t.Helper()
	s, err := c.OpenSession(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// count returns how many requests began like that.
func (f *fake) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	hook := f.hook
	f.mu.Unlock()
	if hook != nil && hook(f, w, r, body) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serve(w, r, body)
}

// serve answers as the server does; f.mu is held.
func (f *fake) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	switch {
	case parts[0] == "sensor":
		write(w, object{
			"id": 1, "computer_name": "WS-1", "os_type": 1, "status": "Online", "supports_cblr": true,
			"group_id": "3", "last_checkin_time": "2024-01-02 03:04:05.678901+01:00",
		})
	case len(parts) == 2 && r.Method == http.MethodGet:
		write(w, f.sessions)
	case len(parts) == 2:
		write(w, f.open(body))
	default:
		f.serveSession(w, r, body, parts[2:])
	}
}

// open adds a session that becomes active the second time it is looked at.
func (f *fake) open(body []byte) object {
	var asked object
	_ = json.Unmarshal(body, &asked)
	s := object{
		"id": len(f.sessions) + 1, "sensor_id": 1, "status": "pending", "supported_commands": []string{},
		"check_in_timeout": asked["check_in_timeout"], "sensor_wait_timeout": 120,
	}
	f.sessions = append(f.sessions, s)
	return s
}

func (f *fake) serveSession(w http.ResponseWriter, r *http.Request, body []byte, parts []string) {
	id, _ := strconv.Atoi(parts[0])
	if id < 1 || id > len(f.sessions) || f.sessions[id-1]["status"] == "close" && !(len(parts) > 1 && parts[1] == "command" && r.Method == http.MethodGet) {
		http.Error(w, fmt.Sprintf("Session %d not found", id), http.StatusNotFound)
		return
	}
	s := f.sessions[id-1]
	switch {
	case len(parts) == 1 && r.Method == http.MethodPut:
		s["status"] = "close"
		write(w, s)
	case len(parts) == 1 || parts[1] == "keepalive":
		write(w, s)
		if parts[len(parts)-1] != "keepalive" {
			s["status"] = "active"
			s["supported_commands"] = allCommands
		}
	case parts[1] == "file":
		f.serveFile(w, r, body, id, parts[2:])
	case len(parts) == 2 && r.Method == http.MethodPost:
		write(w, f.add(id, body))
	case len(parts) == 2:
		write(w, f.commands[id])
	default:
		n, _ := strconv.Atoi(parts[2])
		if n < 1 || n > len(f.commands[id]) {
			http.Error(w, "Command not found", http.StatusNotFound)
			return
		}
		write(w, f.end(f.commands[id][n-1]))
	}
}

// add takes a command.
func (f *fake) add(session int, body []byte) object {
	cmd := object{}
	_ = json.Unmarshal(body, &cmd)
	cmd["id"], cmd["sensor_id"], cmd["status"] = len(f.commands[session])+1, 1, "pending"
	f.commands[session] = append(f.commands[session], cmd)
	return cmd
}

// end completes a command.
func (f *fake) end(cmd object) object {
	if cmd["status"] == "pending" {
		cmd["status"], cmd["result_code"], cmd["result_type"] = "complete", 0, "WinHresult"
		if f.finish != nil {
			f.finish(f, cmd)
		}
	}
	return cmd
}

func (f *fake) serveFile(w http.ResponseWriter, r *http.Request, body []byte, session int, parts []string) {
	switch {
	case len(parts) == 0:
		content := body
		if i := bytes.Index(body, []byte("\r\n\r\n")); i >= 0 {
			content = body[i+4:]
			content = content[:bytes.LastIndex(content, []byte("\r\n--"))]
		}
		id := len(f.files) + 1
		f.files[fmt.Sprintf("%d/%d", session, id)] = content
		write(w, object{"id": id, "size": len(content), "status": 0})
	case len(parts) == 1:
		write(w, object{"id": parts[0], "size": "0", "size_uploaded": len(f.files[fmt.Sprintf("%d/%s", session, parts[0])])})
	default:
		w.Write(f.files[fmt.Sprintf("%d/%s", session, parts[0])])
	}
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

// drop ends the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// truncated sends all but the last n bytes of an answer that promises them.
func truncated(w http.ResponseWriter, body []byte, n int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body[:len(body)-n])
	w.(http.Flusher).Flush()
	drop(w)
}

// first is a hook for the first request of that method and path suffix.
func first(method, suffix string, do func(f *fake, w http.ResponseWriter, r *http.Request, body []byte)) func(*fake, http.ResponseWriter, *http.Request, []byte) bool {
	var once sync.Once
	return func(f *fake, w http.ResponseWriter, r *http.Request, body []byte) (did bool) {
		if r.Method == method && strings.HasSuffix(r.URL.Path, suffix) {
			once.Do(func() { do(f, w, r, body); did = true })
		}
		return did
	}
}

var allCommands = slices.Clone([]string{
	"delete file", "put file", "reg delete key", "directory list", "reg create key", "get file", "reg enum key",
	"reg query value", "kill", "create process", "process list", "reg delete value", "reg set value", "create directory", "memdump",
})
