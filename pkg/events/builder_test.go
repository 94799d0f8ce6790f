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

// sensorEvents has one event of each kind that sensors send.
func sensorEvents() [][]byte {
	hash := make([]byte, 16)
	for i := range hash {
		hash[i] = byte(i + 1)
	}
	const at, started = 1725526400_123456700, 1725526390_000000000
	start := filetimeOf(started)
	event := func(num protowire.Number, fields ...[]byte) []byte {
		return newSensorEvent().strings(7, `c:\temp\a.dll`).
			header(at, 4412, started, `c:\windows\system32\rundll32.exe`).
			member(num, fields...).env(42, "WS-042").bytes()
	}
	ip := func(v uint64) []byte { return join(field64(1, 0), field64(2, v)) }
	return [][]byte{
		event(tagProcess, field64(2, 1), field64(3, 812), field64(4, start), fieldBytes(6, hash), fieldText(9, "rundll32 C:\\Temp\\a.dll,Go"),
			fieldText(11, `c:\program files\office\winword.exe`), field64(12, 1), fieldText(14, "S-1-5-21-1"), fieldText(15, `CORP\ann`), field64(21, 3)),
		event(tagProcess, field64(2, 1), field64(12, 0)),
		event(tagProcess, field64(2, 0), field64(3, 812)),
		event(tagModload, fieldBytes(3, hash)),
		event(tagFilemod, field64(2, 8), fieldBytes(4, hash), field64(5, 1)),
		event(tagNetwork, field64(2, 0x097100CB), field64(5, 0xBB01), field64(6, 6), fieldText(7, "c2.example"), field64(8, 0)),
		event(tagNetworkV2, field64(1, 17), fieldBytes(8, ip(0x097100CB)), field64(9, 0xBB01), fieldBytes(10, ip(0x0500000A)), fieldText(12, "aa")),
		event(tagRegmod, field64(2, 2), fieldText(4, `\registry\machine\software\run\upd`)),
		event(tagModule, fieldText(1, "0F0102030405060708090A0B0C0D0E0F"), field64(3, 90112), fieldText(5, "ACME"), fieldText(21, "Signed"), fieldText(26, `C:\Temp\A.dll`)),
		event(tagChildproc, field64(1, 1), fieldBytes(3, hash), fieldText(5, "/bin/bash"), field64(6, 70000), field64(7, start),
			fieldBytes(9, field64(1, 1)), fieldText(10, "bash -c x"), field64(12, 1)),
		event(tagCrossproc, fieldBytes(1, join(field64(1, 2), field64(2, 708), field64(3, start), field64(4, 5136), fieldText(5, `c:\windows\system32\lsass.exe`)))),
		event(tagCrossproc, fieldBytes(2, join(field64(1, 708), field64(2, start))), field64(4, 1)),
		event(tagTamperAlert, field64(1, 3)),
		event(tagBlocked, field64(2, 2), fieldBytes(3, hash), fieldText(4, `c:\x.exe`), field64(5, 6), field64(6, 5), field64(7, 77), field64(8, start), fieldText(9, "x.exe -a")),
		event(tagEmet, fieldBytes(3, field64(1, 14)), fieldText(4, "EMET\r\nsays"), field64(5, 1)),
		event(tagScriptexe, fieldText(1, "IEX x"), fieldText(2, "abc")),
		event(tagFileBackedScript, fieldText(1, "x"), fieldText(3, `c:\temp\a.ps1`)),
	}
}
