package job

import (
	"slices"
	"testing"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

func TestTheDigestIsOfTheWholeCall(t *testing.T) {
	t.Parallel()
	at := edr.Endpoint{Server: "hq", ID: "1"}
	base := CallDigest("kill", at, map[string]any{"pid": 7, "image": "a.exe"})
	if again := CallDigest("kill", at, map[string]any{"image": "a.exe", "pid": 7}); again != base {
		t.Error("the order of arguments counts")
	}
	for name, other := range map[string]string{
		"action":          CallDigest("suspend", at, map[string]any{"pid": 7, "image": "a.exe"}),
		"server":          CallDigest("kill", edr.Endpoint{Server: "lab", ID: "1"}, map[string]any{"pid": 7, "image": "a.exe"}),
		"endpoint":        CallDigest("kill", edr.Endpoint{Server: "hq", ID: "2"}, map[string]any{"pid": 7, "image": "a.exe"}),
		"value":           CallDigest("kill", at, map[string]any{"pid": 8, "image": "a.exe"}),
		"further":         CallDigest("kill", at, map[string]any{"pid": 7, "image": "a.exe", "force": true}),
		"missing":         CallDigest("kill", at, map[string]any{"pid": 7}),
		"another type of": CallDigest("kill", at, map[string]any{"pid": "7", "image": "a.exe"}),
	} {
		if other == base {
			t.Errorf("%s argument does not count", name)
		}
	}
}

// TestTheDigestOfAJobIsOfAllThatItWouldDo: a yes to a job as a whole is one to its steps.
func TestTheDigestOfAJobIsOfAllThatItWouldDo(t *testing.T) {
	t.Parallel()
	base := func() *Job {
		return &Job{Endpoint: edr.Endpoint{Server: "hq", ID: "1"}, Digest: "rule", Steps: []actions.Step{{ID: "a", Uses: "kill", With: map[string]any{"pid": 7}}}, OnFailure: []actions.Step{{ID: "b", Uses: "wait"}}}
	}
	want, _ := base().Call(Question{})
	for name, change := range map[string]func(*Job){
		"endpoint": func(j *Job) { j.Endpoint.ID = "2" },
		"rule":     func(j *Job) { j.Digest = "another" },
		"step":     func(j *Job) { j.Steps[0].Uses = "suspend" },
		"argument": func(j *Job) { j.Steps[0].With["pid"] = 8 },
		"failure":  func(j *Job) { j.OnFailure = nil },
	} {
		j := base()
		change(j)
		if got, _ := j.Call(Question{}); got == want {
			t.Errorf("the job's %s does not count", name)
		}
	}
	if got, _ := base().Call(Question{Digest: "of the call"}); got != "of the call" {
		t.Errorf("a question about a call has the digest %s", got)
	}
}

func TestArgumentsThatAreNotKnownAreNamed(t *testing.T) {
	t.Parallel()
	j := &Job{Steps: []actions.Step{{ID: "a", Uses: "kill", With: map[string]any{"pid": "${{ event.process.pid }}", "image": "a.exe"}}, {ID: "b", Uses: "run", With: map[string]any{"args": []any{"x", "${{ steps.a.output }}"}}}}}
	if _, unknown := j.Call(Question{}); !slices.Equal(unknown, []string{"a.pid", "b.args"}) {
		t.Errorf("unknown: %v", unknown)
	}
	if digest, unknown := j.Call(Question{Step: "a", Digest: "d"}); digest != "d" || unknown != nil {
		t.Errorf("an evaluated call: %s, %v", digest, unknown)
	}
}
