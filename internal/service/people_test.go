package service

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"edrpipe/internal/config"
	"edrpipe/internal/pager"
)

func TestWaysToPeople(t *testing.T) {
	t.Parallel()
	got := make(chan pager.Message, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m pager.Message
		_ = json.NewDecoder(r.Body).Decode(&m)
		got <- m
	}))
	defer hook.Close()
	defer http.DefaultClient.CloseIdleConnections()
	file := filepath.Join(t.TempDir(), "hook.url")
	if err := os.WriteFile(file, []byte(hook.URL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		notify config.Notify
		ways   int
		bad    bool
	}{
		"none":              {config.Notify{}, 0, false},
		"three hooks":       {config.Notify{Webhook: file, Slack: file, Teams: file}, 3, false},
		"mail":              {config.Notify{SMTP: "mail:25", From: "a@b", To: []string{"c@d"}}, 1, false},
		"mail to nobody":    {config.Notify{SMTP: "mail:25", From: "a@b"}, 0, true},
		"no file":           {config.Notify{Slack: file + ".not"}, 0, true},
		"no password there": {config.Notify{SMTP: "mail:25", From: "a@b", To: []string{"c@d"}, Password: file + ".not"}, 0, true},
	} {
		s := &Service{cfg: config.Config{Notify: c.notify}}
		ways, err := s.senders()
		if len(ways) != c.ways || (err != nil) != c.bad {
			t.Errorf("%s: %d ways, %v", name, len(ways), err)
		}
	}
	s := &Service{cfg: config.Config{Notify: config.Notify{Webhook: file}}}
	ways, err := s.senders()
	if err != nil || ways[0].Send(t.Context(), pager.Message{Service: "hq"}) != nil || (<-got).Service != "hq" {
		t.Errorf("the webhook got nothing: %v", err)
	}
}
