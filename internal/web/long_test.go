package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// quick shortens what a test would wait for.
func quick(s *Server) {
	s.http.ReadTimeout, s.http.WriteTimeout, s.auth.look = 200*time.Millisecond, 300*time.Millisecond, 10*time.Millisecond
}

// TestSlowBodies: a body that does not come is not waited for, with or without the
// length of one, and a stream lives longer than the deadline for requests.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s, _, _ := startServer(t, nil, quick)
	watching := s.watch(t, s.tokens[Viewer])
	var slow []net.Conn
	for _, begin := range []string{
		"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\na",
		"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
		"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\na",
		"GET / HTTP/1.1\r\nHost: x\r\n",
		"",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	for i, c := range slow {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
			t.Errorf("connection %d is still open", i)
		}
	}
	select {
	case err := <-watching:
		t.Errorf("the stream ended with the deadline of requests: %v", err)
	default:
	}
}

// watch opens the stream of notices and reports its end.
func (s site) watch(t *testing.T, token string) (ended chan error) {
	t.Helper()
	return s.watchAs(t, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
}

// watchAs does so with the credentials that show adds.
func (s site) watchAs(t *testing.T, show func(*http.Request)) (ended chan error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	show(req)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(res.Body)
	if line, err := in.ReadString('\n'); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("stream: %d, %q, %v", res.StatusCode, line, err)
	}
	ended = make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		_ = res.Body.Close()
		ended <- err
	}()
	t.Cleanup(func() { _ = res.Body.Close() })
	return ended
}

// TestStreamEndsWithItsUser: a stream that is open ends when its user is changed or
// removed, and goes on when another one is.
func TestStreamEndsWithItsUser(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Users){
		"removed":       func(u *Users) { u.List = u.List[1:] },
		"another role":  func(u *Users) { u.List[0].Role = Approver },
		"another token": func(u *Users) { u.List[0].Token = HashToken(NewToken()) },
		"other groups":  func(u *Users) { u.List[0].Groups = []string{"soc"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, _ := startServer(t, nil, quick)
			vera, ada := s.watch(t, s.tokens[Viewer]), s.watch(t, s.tokens[Admin])
			users, err := LoadUsers(s.users)
			if err != nil {
				t.Fatal(err)
			}
			change(users)
			if err := users.Save(s.users); err != nil {
				t.Fatal(err)
			}
			later := time.Now().Add(time.Hour) // a file system may not tell times of the same moment apart
			if err := os.Chtimes(s.users, later, later); err != nil {
				t.Fatal(err)
			}
			select {
			case <-vera:
			case <-time.After(time.Minute):
				t.Error("the stream goes on")
			}
			select {
			case <-ada:
				t.Error("the stream of another user ended")
			default:
			}
		})
	}
}

// TestStreamEndsWithLogout: a stream and a download that a browser has open end when its
// login does, and those of another login of the same user go on.
func TestStreamEndsWithLogout(t *testing.T) {
	t.Parallel()
	s, _, _ := startServer(t, nil, quick)
	login := func() *http.Cookie {
		t.Helper()
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.PostForm(s.URL+"/login", url.Values{"token": {s.tokens[Viewer]}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for _, c := range res.Cookies() {
			if c.Name == sessionCookie {
				return c
			}
		}
		t.Fatalf("login: %d, no cookie", res.StatusCode)
		return nil
	}
	leaving, staying := login(), login()
	with := func(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }
	ended, goesOn := s.watchAs(t, with(leaving)), s.watchAs(t, with(staying))
	out, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	out.AddCookie(leaving)
	out.Header.Set("Origin", s.URL)
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(out)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= 400 {
		t.Fatalf("logout: %d", res.StatusCode)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the stream goes on after the logout")
	}
	select {
	case <-goesOn:
		t.Error("the stream of another login ended")
	default:
	}
}

func TestReadyTellsReasonsToUsersOnly(t *testing.T) {
	t.Parallel()
	s, _, _ := startWeb(t, nil)
	for role, want := range map[Role]bool{"": false, Viewer: true} {
		_, body := s.ask(t, "GET", "/readyz", role, "")
		if got := strings.Contains(body, "is down"); got != want || !strings.Contains(body, `"bus"`) {
			t.Errorf("readyz as %q tells the reason: %v, want %v: %s", role, got, want, body)
		}
	}
}

func TestWrongBodies(t *testing.T) {
	t.Parallel()
	s, _, _ := startWeb(t, nil)
	for body, want := range map[string]int{
		`{"why":"x"}`: 200, ``: 200, `{"why":"x"} {}`: 400, `{"why":"x"}]`: 400, `{"whi":"x"}`: 400, `[]`: 400, `{"why":1}`: 400, `{"why":`: 400,
		`{"why":"` + strings.Repeat("x", maxBody) + `"}`: 413,
	} {
		if res, text := s.ask(t, "POST", "/api/v1/change", Admin, body); res.StatusCode != want {
			t.Errorf("%.40s: %d, want %d: %s", body, res.StatusCode, want, text)
		}
	}
}
