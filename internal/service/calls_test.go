package service

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"edrpipe/internal/console"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

const asksPeople = `
rules:
  - id: ask
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: list_processes, approval: { from: [soc], within: 1h } } ]
`

// TestApprovalOverTheBus answers what a job asks with one message, as somebody
// with a token; who, when and why are recorded with the job.
func TestApprovalOverTheBus(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, asksPeople, "")
	tokens := map[string]string{}
	file := p.dir + "/users.yaml"
	users := &web.Users{}
	for name, role := range map[string]web.Role{"vera": web.Viewer, "ann": web.Approver} {
		tokens[name] = web.NewToken()
		users.List = append(users.List, web.User{Name: name, Role: role, Groups: []string{"soc"}, Token: web.HashToken(tokens[name])})
	}
	if err := users.Save(file); err != nil {
		t.Fatal(err)
	}
	p.write("pipeline.yaml", strings.Replace(p.read("pipeline.yaml"), `listen: "127.0.0.1:0"`, fmt.Sprintf(`listen: "127.0.0.1:0", users_file: %q`, file), 1))
	r := p.run()
	r.publish(start(1, 7))
	await(t, 20*time.Second, "the question", func() bool { return len(r.jobs("held")) == 1 })
	id := r.jobs("held")[0].ID

	call := func(subject, token, body string) (status string, reply string) {
		m := nats.NewMsg(console.CallsPrefix + subject)
		m.Data = []byte(body)
		m.Header.Set("Authorization", "Bearer "+token)
		answer, err := r.bus.Conn().RequestMsg(m, 20*time.Second)
		if err != nil {
			t.Fatal(subject, err)
		}
		return answer.Header.Get("Status"), string(answer.Data)
	}
	for _, c := range []struct{ subject, who, body, want string }{
		{"post.jobs." + id + ".answer", "nobody", `{"allow":true}`, "401"},
		{"post.jobs." + id + ".answer", "vera", `{"allow":true}`, "403"},
		{"post.jobs." + id + ".answer", "ann", `{"alow":true}`, "400"},
		{"post.jobs.none.answer", "ann", `{"allow":true}`, "404"},
		{"get.static.app.js", "ann", "", "404"},
		{"get.jobs." + id, "vera", "", "200"},
		{"post.jobs." + id + ".answer", "ann", `{"allow":true,"why":"seen it"}`, "200"},
	} {
		if status, reply := call(c.subject, tokens[c.who], c.body); status != c.want {
			t.Errorf("%s by %s: %s %s, want %s", c.subject, c.who, status, reply, c.want)
		}
	}
	await(t, 20*time.Second, "its end", func() bool { return len(r.jobs("ended")) == 1 })
	j, err := r.fleet.Get(t.Context(), id)
	if err != nil || j.State != jobs.Succeeded || len(j.Approvals) != 1 || len(j.Approvals[0].Answers) != 1 {
		t.Fatalf("%+v, %v", j, err)
	}
	if a := j.Approvals[0].Answers[0]; a.By != "ann" || a.Why != "seen it" || a.At.IsZero() {
		t.Errorf("answer = %+v", a)
	}
	_, reply := call("get.jobs", tokens["vera"], "")
	var list web.JobsPage
	if err := json.Unmarshal([]byte(reply), &list); err != nil || len(list.Jobs) != 1 {
		t.Errorf("jobs: %s, %v", reply, err)
	}
}
