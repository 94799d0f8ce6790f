package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/seal"
)

// Decode decodes the record of a job strictly: of fields that this version knows, with
// what every job has, and nothing behind it. Records of the form before have a server
// and the number of a sensor in place of an endpoint.
func Decode(data []byte) (*Job, error) {
	type plain Job
	var r struct {
		*plain
		Server string `json:"server"`
		Sensor int64  `json:"sensor"`
	}
	j := new(Job)
	r.plain = (*plain)(j)
	if err := seal.Strict(data, &r, "id", "state", "submitter", "priority", "created"); err != nil {
		return nil, err
	}
	if err := j.readOldForm(r.Server, r.Sensor); err != nil {
		return nil, err
	}
	if !j.State.Terminal() && !slices.Contains(Live(), j.State) {
		return nil, fmt.Errorf("%q is no state of a job", j.State)
	}
	return j, nil
}

// UnmarshalJSON reads a record of this form, or of the one before it, which had a
// server and the number of a sensor in place of an endpoint.
func (j *Job) UnmarshalJSON(data []byte) error {
	type plain Job
	var old struct {
		Server string `json:"server"`
		Sensor int64  `json:"sensor"`
	}
	if err := json.Unmarshal(data, (*plain)(j)); err != nil {
		return err
	}
	if !j.Endpoint.IsZero() {
		return nil
	}
	if err := json.Unmarshal(data, &old); err != nil {
		return err
	}
	return j.readOldForm(old.Server, old.Sensor)
}

// readOldForm takes the endpoint from the fields of the form before.
func (j *Job) readOldForm(server string, sensor int64) error {
	if !j.Endpoint.IsZero() || server == "" && sensor == 0 {
		return nil
	}
	j.Endpoint = edr.Endpoint{Server: server, ID: strconv.FormatInt(sensor, 10)}
	if err := j.Endpoint.Validate(); err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	for i := range j.Approvals {
		j.nameCall(&j.Approvals[i])
	}
	return nil
}

// nameCall gives a question of the form before, which had no digest, that of the call it
// is about, so that an answer to it counts. A call whose arguments are not known yet has
// none: the question is asked again when they are.
func (j *Job) nameCall(q *Question) {
	i := slices.IndexFunc(j.Steps, func(st actions.Step) bool { return st.ID == q.Step })
	if q.Digest != "" || i < 0 {
		return
	}
	st := j.Steps[i]
	done := slices.IndexFunc(j.Done, func(r StepRecord) bool { return r.ID == q.Step && r.Item == q.Item })
	switch {
	case done >= 0 && j.Done[done].Args != nil:
		q.Args = j.Done[done].Args
	case q.Item == 0 && (j.Literal || len(unevaluated(st)) == 0):
		q.Args = st.With
	default:
		return
	}
	q.Digest = CallDigest(st.Uses, j.Endpoint, q.Args)
}
