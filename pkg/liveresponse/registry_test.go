package liveresponse

import (
	"encoding/json"
	"testing"

	"edrpipe/pkg/edr"
)

func TestRegistryValuesOnTheWire(t *testing.T) {
	tests := map[string]struct {
		in   edr.RegistryValue
		typ  string
		json string // of the data; empty: refused
	}{
		"text":                 {in: edr.RegistryValue{Data: "x"}, typ: "REG_SZ", json: `"x"`},
		"integer":              {in: edr.RegistryValue{Data: 7}, typ: "REG_DWORD", json: `7`},
		"list":                 {in: edr.RegistryValue{Data: []string{"a"}}, typ: "REG_MULTI_SZ", json: `["a"]`},
		"list of any":          {in: edr.RegistryValue{Type: "REG_MULTI_SZ", Data: []any{"a"}}, typ: "REG_MULTI_SZ", json: `["a"]`},
		"list of numbers":      {in: edr.RegistryValue{Type: "REG_MULTI_SZ", Data: []any{1}}},
		"bytes":                {in: edr.RegistryValue{Data: []byte{0, 255}}, typ: "REG_BINARY", json: `"00ff"`},
		"hex with blanks":      {in: edr.RegistryValue{Type: "reg_binary", Data: "00 ff"}, typ: "REG_BINARY", json: `"00ff"`},
		"no hex":               {in: edr.RegistryValue{Type: "REG_BINARY", Data: "zz"}},
		"decimal text":         {in: edr.RegistryValue{Type: "REG_DWORD", Data: "7"}, typ: "REG_DWORD", json: `7`},
		"hex integer":          {in: edr.RegistryValue{Type: "REG_DWORD", Data: "0x10"}, typ: "REG_DWORD", json: `16`},
		"beyond 32 bits":       {in: edr.RegistryValue{Type: "REG_DWORD", Data: int64(1) << 32}},
		"largest":              {in: edr.RegistryValue{Type: "REG_QWORD", Data: ^uint64(0)}, typ: "REG_QWORD", json: `18446744073709551615`},
		"negative":             {in: edr.RegistryValue{Type: "REG_QWORD", Data: -1}},
		"number as text value": {in: edr.RegistryValue{Type: "REG_SZ", Data: 1}},
		"unknown type":         {in: edr.RegistryValue{Type: "REG_LINK", Data: "x"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			typ, data, err := EncodeValue(tt.in)
			if tt.json == "" {
				if err == nil {
					t.Errorf("is accepted as %s %v", typ, data)
				}
				return
			}
			b, _ := json.Marshal(data)
			if err != nil || typ != tt.typ || string(b) != tt.json {
				t.Errorf("got %s %s, %v", typ, b, err)
			}
		})
	}
}
