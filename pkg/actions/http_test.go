package actions

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"edrpipe/pkg/edr"
)

// wire answers requests without a network.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// online is a task whose HTTP client is answered by w.
func online(w wire) *Task {
	task := newEndpoint(edr.Windows).task()
	task.HTTP = &http.Client{Transport: w}
	return task
}

func TestHTTPSendsWhatTheRuleSays(t *testing.T) {
	var got *http.Request
	var body []byte
	task := online(func(r *http.Request) (*http.Response, error) {
		got = r
		body, _ = io.ReadAll(r.Body)
		return reply(201, `{"ticket": 7}`), nil
	})
	hostile := "a/../b?c=d&e#f\r\nX: y"
	out, err := run(t, task, "http", map[string]any{
		"url": "https://tickets.example/api", "segments": []any{hostile}, "query": map[string]any{"q": hostile},
		"secrets": map[string]any{"Authorization": "soc"}, "sign": "hmac", "body": map[string]any{"path": hostile},
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := out.(HTTPOutput); o.Status != 201 || o.Body.(map[string]any)["ticket"] != 7 || o.Attempts != 1 {
		t.Errorf("output = %+v", o)
	}
	if want := "/api/" + url.PathEscape(hostile); got.URL.EscapedPath() != want || got.URL.Host != "tickets.example" {
		t.Errorf("path = %s, want %s", got.URL.EscapedPath(), want)
	}
	if q := got.URL.Query(); len(q) != 1 || q.Get("q") != hostile {
		t.Errorf("query = %v", q)
	}
	if got.Header.Get("Authorization") != "secret-soc" || got.Header.Get("X") != "" {
		t.Errorf("headers = %v", got.Header)
	}
	mac := hmac.New(sha256.New, []byte("secret-hmac"))
	fmt.Fprintf(mac, "%s.%s.%s", got.Header.Get("webhook-id"), got.Header.Get("webhook-timestamp"), body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); got.Header.Get("webhook-signature") != want {
		t.Errorf("signature = %s, want %s", got.Header.Get("webhook-signature"), want)
	}
}

func TestHTTPRetries(t *testing.T) {
	refused := &url.Error{Op: "Post", URL: "https://x.example/?token=hidden", Err: errors.New("dial tcp: connection refused")}
	gone := errors.New("connection reset by peer")
	cases := []struct {
		name    string
		with    map[string]any
		answers []any // status or error, the last for ever
		tries   int
		ok      bool
	}{
		{"first time", nil, []any{200}, 1, true},
		{"not connected is safe to repeat", nil, []any{refused, refused, 200}, 3, true},
		{"too many requests", nil, []any{429, 200}, 2, true},
		{"overloaded", nil, []any{503, 200}, 2, true},
		{"a POST that may have arrived is not repeated", nil, []any{gone, 200}, 1, false},
		{"nor after a server error", nil, []any{500, 200}, 1, false},
		{"unless the receiver drops repetitions", map[string]any{"idempotent": true}, []any{gone, 500, 200}, 3, true},
		{"a PUT is repeated", map[string]any{"method": "PUT"}, []any{gone, 502, 200}, 3, true},
		{"refused is refused", map[string]any{"idempotent": true}, []any{400, 200}, 1, false},
		{"no redirects", map[string]any{"method": "GET"}, []any{302, 200}, 1, false},
		{"in the end it gives up", map[string]any{"retries": 2}, []any{503}, 3, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				ids := map[string]bool{}
				task := online(func(r *http.Request) (*http.Response, error) {
					ids[r.Header.Get("webhook-id")] = true
					answer := c.answers[min(tries, len(c.answers)-1)]
					tries++
					if err, ok := answer.(error); ok {
						return nil, err
					}
					return reply(answer.(int), "", "Retry-After", "2", "Location", "https://elsewhere.example/"), nil
				})
				with := map[string]any{"url": "https://x.example/?token=hidden", "body": "b"}
				for k, v := range c.with {
					with[k] = v
				}
				_, err := run(t, task, "http", with)
				if (err == nil) != c.ok || tries != c.tries || len(ids) != 1 {
					t.Errorf("%d tries with %d ids, %v; want %d, success %v", tries, len(ids), err, c.tries, c.ok)
				}
				if strings.Contains(errText(err), "hidden") {
					t.Errorf("the address with its secret is in the error: %v", err)
				}
			})
		})
	}
}

// TestHTTPReplies: a request that was acted on does not fail for its reply, and
// numbers keep their digits.
func TestHTTPReplies(t *testing.T) {
	large := `"` + strings.Repeat("x", 4_000_000) + `"`
	broken := io.MultiReader(strings.NewReader(`{"id":1`), iotest.ErrReader(errors.New("reset")))
	for _, c := range []struct {
		name, method string
		body         io.Reader
		kept         int // bytes of the artifact
		truncated    bool
		want         any // of the body; nil: text
		err          bool
	}{
		{"digits", "POST", strings.NewReader(`{"id":9007199254740993,"big":98765432109876543210}`), 0, false, map[string]any{"id": 9007199254740993, "big": json.Number("98765432109876543210")}, false},
		{"no JSON", "POST", strings.NewReader(`{"id":1} and more`), 0, false, `{"id":1} and more`, false},
		{"just small enough", "POST", strings.NewReader(strings.Repeat("x", maxBody)), 0, false, strings.Repeat("x", maxBody), false},
		{"too large", "POST", strings.NewReader(large), len(large), true, large[:maxExcerpt], false},
		{"larger than an artifact may be", "POST", strings.NewReader(strings.Repeat("x", maxReply+9)), maxReply, true, strings.Repeat("x", maxExcerpt), false},
		{"breaks off after the request was acted on", "POST", broken, 0, true, `{"id":1`, false},
		{"breaks off where it may be asked again", "GET", iotest.ErrReader(errors.New("reset")), 0, true, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := online(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(c.body)}, nil
			})
			out, err := run(t, task, "http", map[string]any{"url": "https://x.example/?key=hidden", "method": c.method, "retries": 0})
			got := out.(HTTPOutput)
			if (err != nil) != c.err || got.Truncated != c.truncated || !c.err && !reflect.DeepEqual(got.Body, c.want) {
				t.Errorf("error %v, truncated %t, %d bytes of body", err, got.Truncated, len(fmt.Sprint(got.Body)))
			}
			kept := task.Artifacts.(*shelf).kept["reply-x_example"]
			if len(kept) != c.kept || int(got.Artifact.Size) != c.kept || strings.Contains(got.Artifact.Path, "hidden") {
				t.Errorf("artifact %+v of %d bytes, want %d", got.Artifact, len(kept), c.kept)
			}
		})
	}
	t.Run("a store that fails", func(t *testing.T) {
		task := online(func(*http.Request) (*http.Response, error) { return reply(200, large), nil })
		task.Artifacts = &shelf{fail: errors.New("disk full")}
		out, err := run(t, task, "http", map[string]any{"url": "https://x.example/"})
		if err != nil || !out.(HTTPOutput).Truncated {
			t.Errorf("%v", err)
		}
	})
}

func TestNotifyShowsEventTextAsText(t *testing.T) {
	hostile := "<!channel> *bold* [x](https://evil.example) <https://evil.example|click> \"}]}"
	for _, format := range []string{"slack", "teams", "generic"} {
		t.Run(format, func(t *testing.T) {
			var body map[string]any
			task := online(func(r *http.Request) (*http.Response, error) {
				if r.URL.String() != "https://hooks.example/abc" {
					t.Errorf("sent to %s", r.URL)
				}
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				return reply(200, "ok"), nil
			})
			task.Secret = func(string) (Secret, error) { return Secret{Text: "https://hooks.example/abc"}, nil }
			if _, err := run(t, task, "notify", map[string]any{"to": "hook", "format": format, "title": hostile, "text": hostile, "fields": map[string]any{"path": hostile}}); err != nil {
				t.Fatal(err)
			}
			walkJSON(body, func(o map[string]any) {
				if o["text"] == nil || format == "generic" {
					return
				}
				if text, _ := o["text"].(string); strings.Contains(text, "<!channel>") && o["type"] != "plain_text" && o["type"] != "TextRun" {
					t.Errorf("text that is interpreted: %v", o)
				}
			})
		})
	}
}

func walkJSON(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, item := range v {
			walkJSON(item, visit)
		}
	case []any:
		for _, item := range v {
			walkJSON(item, visit)
		}
	}
}

func TestNotifyKeepsTheAddressSecret(t *testing.T) {
	task := online(func(*http.Request) (*http.Response, error) { return reply(404, ""), nil })
	task.Secret = func(string) (Secret, error) { return Secret{Text: "https://hooks.example/services/T0/hidden"}, nil }
	_, err := run(t, task, "notify", map[string]any{"to": "hook", "title": "t"})
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error = %v", err)
	}
}

func TestWaitIsNotProlongedByARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		task := newEndpoint(edr.Windows).task()
		task.Since = time.Now().Add(-50 * time.Minute)
		start := time.Now()
		if _, err := run(t, task, "wait", map[string]any{"for": "1h"}); err != nil || time.Since(start) != 10*time.Minute {
			t.Errorf("waited %v, %v", time.Since(start), err)
		}
	})
}
