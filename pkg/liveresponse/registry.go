package liveresponse

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"edrpipe/pkg/edr"
)

// A Value is a registry value on the wire.
type Value struct {
	Name Text            `json:"value_name"`
	Type Text            `json:"value_type"`
	Data json.RawMessage `json:"value_data"`
}

// Decode decodes a value by its type from any of its JSON forms.
func (v Value) Decode() (edr.RegistryValue, error) {
	r := edr.RegistryValue{Name: string(v.Name), Type: string(v.Type)}
	raw := bytes.TrimSpace(v.Data)
	if len(raw) > 0 && raw[0] == '[' {
		var all List[Text]
		err := json.Unmarshal(raw, &all)
		r.Data = Texts(all)
		return r, err
	}
	s, err := Scalar(raw)
	if err != nil {
		return r, fmt.Errorf("value %s: %w", edr.Quote(r.Name), err)
	}
	switch r.Type {
	case "REG_DWORD", "REG_QWORD":
		r.Data, err = integer(s)
	case "REG_MULTI_SZ":
		r.Data = []string{}
		if s != "" {
			r.Data = strings.Split(strings.TrimRight(s, "\x00"), "\x00")
		}
	default:
		r.Data = s
	}
	return r, err
}

// integer is an int64, or an uint64 beyond its range.
func integer(s string) (any, error) {
	if s == "" {
		return int64(0), nil
	}
	if i, err := strconv.ParseInt(s, 0, 64); err == nil {
		return i, nil
	}
	u, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return nil, fmt.Errorf("%.40q is not an integer", s)
	}
	return u, nil
}

// EncodeValue checks a value and gives it the form that requests carry.
func EncodeValue(v edr.RegistryValue) (typ string, data any, err error) {
	typ = strings.ToUpper(v.Type)
	if typ == "" {
		typ = typeFor(v.Data)
	}
	switch typ {
	case "REG_DWORD":
		data, err = wireInteger(v.Data, 32)
	case "REG_QWORD":
		data, err = wireInteger(v.Data, 64)
	case "REG_MULTI_SZ":
		data, err = wireStrings(v.Data)
	case "REG_BINARY":
		data, err = wireBinary(v.Data)
	case "REG_SZ", "REG_EXPAND_SZ":
		s, ok := v.Data.(string)
		if !ok {
			err = fmt.Errorf("data of %s is a %T, not a string", typ, v.Data)
		}
		data = s
	default:
		err = fmt.Errorf("%.40q is not a registry type that Live Response writes", v.Type)
	}
	return typ, data, err
}

func typeFor(data any) string {
	switch data.(type) {
	case int, int32, int64, uint, uint32, uint64:
		return "REG_DWORD"
	case []string, []any:
		return "REG_MULTI_SZ"
	case []byte:
		return "REG_BINARY"
	}
	return "REG_SZ"
}

func wireInteger(data any, bits int) (any, error) {
	n, err := integer(strings.TrimSpace(fmt.Sprint(data)))
	if err != nil {
		return nil, err
	}
	if i, ok := n.(int64); ok && (i < 0 || bits == 32 && i > 1<<32-1) {
		return nil, fmt.Errorf("%d does not fit into %d bits", i, bits)
	}
	if _, ok := n.(uint64); ok && bits == 32 {
		return nil, fmt.Errorf("%d does not fit into 32 bits", n)
	}
	return n, nil
}

func wireStrings(data any) ([]string, error) {
	switch all := data.(type) {
	case []string:
		return all, nil
	case []any:
		out := make([]string, len(all))
		for i, v := range all {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("entry %d of REG_MULTI_SZ is a %T, not a string", i, v)
			}
			out[i] = s
		}
		return out, nil
	case string:
		return []string{all}, nil
	}
	return nil, fmt.Errorf("data of REG_MULTI_SZ is a %T, not a list of strings", data)
}

func wireBinary(data any) (string, error) {
	switch b := data.(type) {
	case []byte:
		return hex.EncodeToString(b), nil
	case string:
		s := strings.ReplaceAll(b, " ", "")
		if _, err := hex.DecodeString(s); err != nil {
			return "", fmt.Errorf("data of REG_BINARY is not hex: %w", err)
		}
		return s, nil
	}
	return "", fmt.Errorf("data of REG_BINARY is a %T, not bytes or hex", data)
}
