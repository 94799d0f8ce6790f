package workload

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// fileTime of the first event: 100 ns since 1601.
const fileTime = 133_700_000_000_000_000

// Protobuf makes n sensor events as the bus carries them one by one.
func Protobuf(n int, seed uint64) [][]byte {
	v := newVocabulary(seed)
	messages := make([][]byte, n)
	for i := range messages {
		messages[i] = v.sensorEvent(i)
	}
	return messages
}

// sensorEvent is a message in the shares that sensors report: nine in ten are
// modules, files and registry values.
func (v *vocabulary) sensorEvent(i int) []byte {
	program := v.program()
	var m []byte
	kind, body, path := v.sensorBody(program)
	m = message(m, 1, v.header(i, program, path != ""))
	if path != "" {
		s := varint(nil, 1, 77)
		s = text(s, 2, path)
		m = message(m, 2, varint(s, 3, 1))
	}
	m = message(m, kind, body)
	endpoint := text(varint(nil, 1, uint64(v.host())), 2, "WS-042")
	return message(m, 13, message(nil, 1, endpoint))
}

func (v *vocabulary) header(i int, program string, hasPath bool) []byte {
	h := varint(nil, 1, 4)
	h = varint(h, 4, fileTime+uint64(i)*200_000)
	if hasPath {
		h = varint(h, 6, 77)
	}
	h = varint(h, 9, fileTime-uint64(v.rand.IntN(1<<30)))
	h = varint(h, 10, uint64(4*v.rand.IntN(4000)))
	h = text(h, 11, v.hex(16))
	return text(h, 12, program)
}

// sensorBody is the part that tells the kind: its number, bytes, and the path
// that stands among the message's strings.
func (v *vocabulary) sensorBody(program string) (protowire.Number, []byte, string) {
	switch p := v.rand.IntN(100); {
	case p < 40:
		return 4, text(varint(nil, 1, 77), 3, v.hex(16)), `c:\windows\system32\` + v.word() + v.word() + ".dll"
	case p < 65:
		return 5, varint(varint(nil, 2, 8), 5, 1), `c:\users\` + v.word() + `\appdata\` + v.word() + `\` + v.word() + ".tmp"
	case p < 90:
		return 7, text(varint(nil, 2, 2), 4, `\registry\machine\software\`+v.word()+`\currentversion\`+v.word()), ""
	case p < 92:
		n := text(varint(nil, 1, 6), 2, "www."+v.word()+".example")
		n = varint(n, 3, 1)
		n = message(n, 8, varint(nil, 2, uint64(v.rand.Uint32())))
		return 20, varint(n, 9, 0xBB01), ""
	}
	p := varint(nil, 2, 1)
	p = text(varint(p, 3, 812), 6, v.hex(16))
	p = text(p, 9, v.commandLine(program))
	p = text(p, 11, v.program())
	p = varint(p, 12, 1)
	return 3, text(text(p, 14, "S-1-5-21-1"), 15, v.user()), program
}

func varint(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func text(b []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func message(b []byte, n protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), m)
}
