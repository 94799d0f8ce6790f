package events

import (
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

//go:embed sensorevents.proto
var sensorSchemaText string

// A schema maps the field numbers of one protobuf message.
type schema map[protowire.Number]member

type member struct {
	name     string
	typ      string // a scalar type, or the name of another message
	repeated bool
}

// sensorSchema holds the messages of sensorevents.proto by name.
var sensorSchema = sync.OnceValue(func() map[string]schema { return parseSchema(sensorSchemaText) })

var (
	messageLine = regexp.MustCompile(`^message (\w+) \{$`)
	memberLine  = regexp.MustCompile(`^  (optional|required|repeated) (\w+) (\w+) = (\d+);`)
)

// parseSchema reads the plain form that sensorevents.proto keeps to.
func parseSchema(text string) map[string]schema {
	all := map[string]schema{}
	var current schema
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := messageLine.FindStringSubmatch(line); m != nil {
			current = schema{}
			all[m[1]] = current
		} else if m := memberLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[4])
			current[protowire.Number(n)] = member{name: m[3], typ: m[2], repeated: m[1] == "repeated"}
		}
	}
	return all
}

// sensorMap is a sensor event as a map with the schema's names: the raw form of
// what came as protobuf.
func sensorMap(message string) map[string]any {
	return messageMap(bytesOf(message), "CbEventMsg")
}

func messageMap(b []byte, name string) map[string]any {
	messages := sensorSchema()
	out := map[string]any{}
	for w := (wire{b: b}); w.next(); {
		m, known := messages[name][w.num]
		if !known {
			continue
		}
		var v any
		switch {
		case messages[m.typ] != nil:
			v = messageMap(w.bytes, m.typ)
		case w.typ == protowire.BytesType:
			v = bytesValue(m, w.bytes)
		default:
			v = numberValue(m.typ, w.value)
		}
		if m.repeated {
			list, _ := out[m.name].([]any)
			v = append(list, v)
		}
		out[m.name] = v
	}
	return out
}

// bytesValue is text as text, a hash as hex, and what is neither in base64.
func bytesValue(m member, b []byte) any {
	switch {
	case m.typ == "string":
		return new(textPool).clean(string(b))
	case (len(b) == 16 || len(b) == 32) && !isPrintable(b):
		return hex.EncodeToString(b)
	case utf8.Valid(b) && isPrintable(b):
		return string(b)
	case strings.HasPrefix(m.name, "utf8") || m.name == "commandline":
		return new(textPool).clean(string(b))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// isPrintable reports whether bytes are text: no control characters but white space.
func isPrintable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

func numberValue(typ string, v uint64) any {
	switch typ {
	case "bool":
		return v != 0
	case "int32":
		return int(int32(v))
	case "uint32":
		return int(uint32(v))
	case "uint64":
		if v > math.MaxInt64 {
			return float64(v)
		}
	}
	return int(int64(v))
}
