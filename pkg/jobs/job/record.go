package job

import (
	"encoding/json"
	"fmt"
	"strconv"

	"edrpipe/pkg/edr"
)

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
	if old.Server == "" && old.Sensor == 0 {
		return nil
	}
	j.Endpoint = edr.Endpoint{Server: old.Server, ID: strconv.FormatInt(old.Sensor, 10)}
	if err := j.Endpoint.Validate(); err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	return nil
}
