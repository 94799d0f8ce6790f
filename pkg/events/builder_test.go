package events

import "google.golang.org/protobuf/encoding/protowire"

// A sensorEventBuilder writes CbEventMsgs for tests, field by field.
type sensorEventBuilder struct {
	head, b []byte
}

func newSensorEvent() *sensorEventBuilder { return &sensorEventBuilder{} }

func field64(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

func fieldBytes(num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), v)
}

func fieldText(num protowire.Number, s string) []byte { return fieldBytes(num, []byte(s)) }

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// filetimeOf converts Unix nanoseconds.
func filetimeOf(unixNano int64) uint64 { return uint64(unixNano/100 + filetimeEpoch) }

// strings adds an entry of the string table and makes it the subject's path.
func (s *sensorEventBuilder) strings(ref uint64, text string) *sensorEventBuilder {
	s.b = append(s.b, fieldBytes(tagStrings, join(field64(1, ref), fieldText(2, text), field64(3, 1)))...)
	s.head = append(s.head, field64(6, ref)...)
	return s
}

// header writes the header; times are Unix nanoseconds.
func (s *sensorEventBuilder) header(at int64, pid uint64, started int64, path string) *sensorEventBuilder {
	fields := join(field64(1, 4), field64(4, filetimeOf(at)), s.head,
		field64(9, filetimeOf(started)), field64(10, pid), fieldText(12, path))
	s.b = append(fieldBytes(tagHeader, fields), s.b...)
	return s
}

func (s *sensorEventBuilder) member(num protowire.Number, fields ...[]byte) *sensorEventBuilder {
	s.b = append(s.b, fieldBytes(num, join(fields...))...)
	return s
}

func (s *sensorEventBuilder) env(sensor uint64, host string) *sensorEventBuilder {
	endpoint := fieldBytes(1, join(field64(1, sensor), fieldText(2, host)))
	s.b = append(s.b, fieldBytes(tagEnv, endpoint)...)
	return s
}

func (s *sensorEventBuilder) bytes() []byte { return s.b }
