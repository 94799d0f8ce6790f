package actions

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

func TestHostIn(t *testing.T) {
	t.Parallel()
	list := []string{"hooks.slack.com", "*.Example.com", "192.0.2.1"}
	for host, want := range map[string]bool{
		"hooks.slack.com": true, "HOOKS.slack.com": true, "hooks.slack.com.": true, "a.example.com": true, "a.b.example.com": true, "192.0.2.1": true,
		"slack.com": false, "evil-hooks.slack.com": false, "hooks.slack.com.evil.org": false, "example.com": false, ".example.com": false, "evilexample.com": false, "192.0.2.10": false, "": false,
	} {
		if got := HostIn(list, host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

// TestSecretsGoToTheirHostsOnly: no request leaves that would carry a secret elsewhere.
func TestSecretsGoToTheirHostsOnly(t *testing.T) {
	t.Parallel()
	requests := make(chan http.Header, 9)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r.Header }))
	t.Cleanup(server.Close)
	for _, p := range []HTTPParams{
		{URL: server.URL, Method: "POST", Secrets: map[string]string{"Authorization": "token"}, Timeout: notifyTimeout},
		{URL: server.URL, Method: "POST", Sign: "token", Timeout: notifyTimeout},
	} {
		task := newEndpoint(edr.Windows).task()
		task.Secret = func(string) (Secret, error) { return Secret{Text: "hidden", Hosts: []string{"hooks.example"}}, nil }
		_, err := task.request(t.Context(), p)
		if !errors.Is(err, ErrSecretElsewhere) || strings.Contains(err.Error(), "hidden") || len(requests) != 0 {
			t.Errorf("to another host: %v, %d requests", err, len(requests))
		}
		task.Secret = func(string) (Secret, error) { return Secret{Text: "hidden", Hosts: []string{"127.0.0.1"}}, nil }
		if _, err := task.request(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if h := <-requests; h.Get("Authorization") != "hidden" && h.Get("webhook-signature") == "" {
			t.Errorf("to its host, without the secret: %v", h)
		}
	}
	task := newEndpoint(edr.Windows).task()
	task.Secret = func(string) (Secret, error) {
		return Secret{Text: server.URL + "/hidden", Hosts: []string{"hooks.example"}}, nil
	}
	_, err := run(t, task, "notify", map[string]any{"to": "slack", "title": "x"})
	if !errors.Is(err, ErrSecretElsewhere) || len(requests) != 0 {
		t.Errorf("notify to an address of another host: %v, %d requests", err, len(requests))
	}
}
