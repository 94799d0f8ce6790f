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
