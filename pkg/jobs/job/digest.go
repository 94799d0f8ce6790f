package job

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

// CallDigest is the digest of an evaluated call: the action, the endpoint, and every
// argument. Two calls with one digest are the same call.
func CallDigest(action string, e edr.Endpoint, args map[string]any) string {
	if args == nil {
		args = map[string]any{} // as a record has them that was read
	}
	return digest(map[string]any{"action": action, "endpoint": e.String(), "args": args})
}

// callsDigest is what an answer to a question about the whole job is given to: its steps as
// they are written, on its endpoint.
func (j *Job) callsDigest() string {
	return digest(map[string]any{"endpoint": j.Endpoint.String(), "rule": j.Digest, "steps": j.Steps, "on_failure": j.OnFailure})
}

func digest(v any) string {
	data, err := json.Marshal(v) // keys of maps are sorted
	if err != nil {
		data = fmt.Appendf(nil, "%#v", v)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Call gives the digest of what a question of the job asks for, and the names of the
// arguments that are not known yet.
func (j *Job) Call(q Question) (digest string, unknown []string) {
	if q.Digest != "" {
		return q.Digest, nil
	}
	for _, st := range j.Steps {
		if (q.Step == "" || q.Step == st.ID) && !j.Literal {
			unknown = append(unknown, unevaluated(st)...)
		}
	}
	return j.callsDigest(), unknown
}

// unevaluated names the arguments of a step that are expressions.
func unevaluated(st actions.Step) (names []string) {
	for name, value := range st.With {
		if text, err := json.Marshal(value); err != nil || strings.Contains(string(text), "${{") {
			names = append(names, st.ID+"."+name)
		}
	}
	slices.Sort(names)
	return names
}
