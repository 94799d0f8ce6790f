package events

import (
	"encoding/json"

	"edrpipe/internal/looseid"
)

// UnmarshalJSON reads a Sensor. A whole number as an id is taken as its text: ids
// were numbers in records and recordings of before, and tests may write them so.
func (s *Sensor) UnmarshalJSON(b []byte) error {
	type plain Sensor
	read := struct {
		*plain
		ID  looseid.ID   `json:"id"`
		IDs []looseid.ID `json:"ids"`
	}{plain: (*plain)(s)}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	s.ID = string(read.ID)
	if read.IDs != nil {
		s.IDs = looseid.Texts(read.IDs)
	}
	return nil
}
