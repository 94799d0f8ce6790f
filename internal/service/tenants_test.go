package service

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// call asks the API as the user of a token.
func (r running) call(method, path, token, body string) (status int, answer string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.URL()+path, bytes.NewBufferString(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// TestUsersOfATenantSeeTheirsOnly asks every call that reads, and those that act on a
// job, as a user of one tenant: nothing of the other tenant is in any answer.
func TestUsersOfATenantSeeTheirsOnly(t *testing.T) {
	t.Parallel()
	sims := map[string]*edrsim.Server{}
	for name, host := range map[string]string{"hq": "WS-OURS", "branch": "WS-THEIRS"} {
		sims[name] = edrsim.New(edrsim.Config{Fleet: []edrsim.SensorSpec{{Hostname: host, OS: "windows"}}, CheckIn: 20 * time.Millisecond}).Start()
		t.Cleanup(sims[name].Close)
	}
	token, whole := web.NewToken(), web.NewToken()
	p := newServersPlace(t, sims, listProcesses, map[string]string{"hq": ", tenant: acme", "branch": ", tenant: beta"}, "")
	p.write("users.yaml", fmt.Sprintf("users:\n  - { name: ann, role: admin, token_hash: %s, tenants: [acme] }\n  - { name: all, role: admin, token_hash: %s }\n", web.HashToken(token), web.HashToken(whole)))
	p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), `web: { listen: "127.0.0.1:0" }`, fmt.Sprintf(`web: { listen: "127.0.0.1:0", users_file: %s/users.yaml }`, p.dir), 1))
	r := p.run()
	event := func(server, host string) string {
		return fmt.Sprintf(`{"type":"ingress.event.procstart","sensor_id":1,"computer_name":%q,"timestamp":%d,"pid":7,"path":"c:\\temp\\evil.exe","cb_server":%q}`, host, time.Now().Unix(), server)
	}
	r.publishOn("", event("hq", "WS-OURS"), event("branch", "WS-THEIRS"))
	await(t, 20*time.Second, "two jobs", func() bool { return len(r.jobs("ended")) == 2 })
	var theirs, ours string
	for _, j := range r.jobs("ended") {
		if j.Server == "branch" {
			theirs = j.ID
		} else {
			ours = j.ID
		}
	}

	asked := 0
	for _, rt := range r.Service.console.Routes() {
		if rt.Method != http.MethodGet || rt.Path == "/api/v1/stream" {
			continue
		}
		for _, query := range []string{"", "?about=WS-THEIRS", "?about=sensor:branch/1", "?about=sensor:1", "?about=" + theirs, "?of=branch/1", "?of=WS-THEIRS", "?sensor=branch/1", "?q=WS-THEIRS", "?host=WS-THEIRS"} {
			path := strings.ReplaceAll(rt.Path, "{id}", theirs) + query
			status, answer := r.call(http.MethodGet, path, token, "")
			for _, echo := range []string{"branch/1", "WS-THEIRS", theirs, `no server named \"branch\"`} { // what was asked for may be said back
				if strings.Contains(path, echo) || strings.Contains(path, "branch/1") {
					answer = strings.ReplaceAll(answer, echo, "")
				}
			}
			if strings.Contains(answer, "THEIRS") || strings.Contains(answer, "branch") || strings.Contains(answer, theirs) {
				t.Errorf("GET %s, status %d, tells of another tenant: %s", path, status, answer)
			}
			asked++
		}
	}
	if asked < 100 {
		t.Errorf("only %d calls were asked", asked)
	}
	for _, call := range []string{"cancel", "retry", "undo", "answer"} {
		body := map[bool]string{true: `{"step":"a","allow":true}`}[call == "answer"]
		if status, answer := r.call(http.MethodPost, "/api/v1/jobs/"+theirs+"/"+call, token, cmp.Or(body, "{}")); status != http.StatusNotFound {
			t.Errorf("%s of another tenant's job: %d %s", call, status, answer)
		}
	}
	submit := `{"sensor":"branch/1","steps":[{"uses":"list_processes"}]}`
	if status, answer := r.call(http.MethodPost, "/api/v1/jobs", token, submit); status != http.StatusBadRequest {
		t.Errorf("a job on another tenant's endpoint: %d %s", status, answer)
	}
	for _, path := range []string{"/api/v1/stop", "/api/v1/dry-run", "/api/v1/silences"} {
		if status, answer := r.call(http.MethodPost, path, token, "{}"); status != http.StatusForbidden {
			t.Errorf("POST %s, which is of all tenants: %d %s", path, status, answer)
		}
	}
	if status, answer := r.call(http.MethodGet, "/metrics", token, ""); status != http.StatusForbidden {
		t.Errorf("metrics of all: %d %s", status, answer)
	}

	// What is theirs is there, and those of all tenants see all.
	if status, answer := r.call(http.MethodGet, "/api/v1/jobs/"+ours, token, ""); status != http.StatusOK || !strings.Contains(answer, "WS-OURS") {
		t.Errorf("own job: %d %s", status, answer)
	}
	for _, path := range []string{"/api/v1/jobs", "/api/v1/sensors", "/api/v1/events", "/api/v1/why?about=WS-OURS"} {
		if status, answer := r.call(http.MethodGet, path, token, ""); status != http.StatusOK || !strings.Contains(answer, "OURS") {
			t.Errorf("%s shows nothing of the own tenant: %d %s", path, status, answer)
		}
	}
	if status, answer := r.call(http.MethodGet, "/api/v1/jobs", whole, ""); status != http.StatusOK || !strings.Contains(answer, "THEIRS") {
		t.Errorf("jobs for a user of all tenants: %d %s", status, answer)
	}
	if status, answer := r.call(http.MethodPost, "/api/v1/jobs", token, strings.Replace(submit, "branch/1", "1", 1)); status != http.StatusOK || !strings.Contains(answer, `"server":"hq"`) {
		t.Errorf("an id that one endpoint of the tenant has: %d %s", status, answer)
	}
	streamOfTenant(t, r, token)
	resultsOfTenants(t, r, map[string]string{"acme": "hq", "beta": "branch"})
}

// resultsOfTenants checks that each tenant's subjects have the results of its server,
// and of no other.
func resultsOfTenants(t *testing.T, r running, server map[string]string) {
	t.Helper()
	for tenant, name := range server {
		c, err := r.bus.JetStream().OrderedConsumer(t.Context(), bus.StreamTenants, jetstream.OrderedConsumerConfig{FilterSubjects: []string{"edr.tenant." + tenant + ".results.>"}})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := c.Fetch(10, jetstream.FetchMaxWait(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		var servers []string
		for m := range batch.Messages() {
			var n struct{ Data jobs.ResultNotice }
			if err := json.Unmarshal(m.Data(), &n); err != nil {
				t.Fatal(err)
			}
			servers = append(servers, n.Data.Server)
		}
		if len(servers) == 0 || slices.ContainsFunc(servers, func(s string) bool { return s != name }) {
			t.Errorf("results of tenant %s are of servers %v, want %s", tenant, servers, name)
		}
	}
}

// streamOfTenant reads the live notices as a user of one tenant while jobs of both run.
func streamOfTenant(t *testing.T, r running, token string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL()+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() { // hello: it listens
		t.Fatal("no stream")
	}
	r.ask("branch/1", "list_processes")
	await(t, 20*time.Second, "the other tenant's job", func() bool { return len(r.jobs("live")) == 0 })
	ours := r.ask("hq/1", "list_processes")
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, "THEIRS") || strings.Contains(line, "branch") {
			t.Errorf("a notice of another tenant: %s", line)
		}
		if strings.Contains(line, "edr.results.") && strings.Contains(line, ours) {
			return
		}
	}
	t.Errorf("the stream ended without the own job's result: %v", lines.Err())
}
