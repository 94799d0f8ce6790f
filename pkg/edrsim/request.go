package edrsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// commandRequest is the body of a POST of a command.
type commandRequest struct {
	Name       string          `json:"name"`
	Object     json.RawMessage `json:"object"`
	FileID     number          `json:"file_id"`
	Offset     number          `json:"offset"`
	GetCount   number          `json:"get_count"`
	Wait       flag            `json:"wait"`
	WorkDir    string          `json:"working_directory"`
	OutputFile string          `json:"output_file"`
	ValueData  json.RawMessage `json:"value_data"`
	ValueType  string          `json:"value_type"`
	Overwrite  flag            `json:"overwrite"`
	Compress   flag            `json:"compress"`
}

// decodeCommand reads a command request and checks what the server itself checks.
func decodeCommand(body []byte) (commandRequest, error) {
	var req commandRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return req, fmt.Errorf("command: %w", err)
	}
	if req.Name == "" {
		return req, errors.New("command: name is missing")
	}
	if bytes.Equal(req.Object, []byte("null")) {
		req.Object = nil
	}
	if len(req.Object) > 0 && (req.Object[0] == '{' || req.Object[0] == '[') {
		return req, errors.New("command: object is neither a string nor a number")
	}
	return req, nil
}

// object is the object as text: clients send a PID as a number or as a string.
func (r *commandRequest) object() string {
	var s string
	if json.Unmarshal(r.Object, &s) == nil {
		return s
	}
	return string(r.Object)
}

// registryValue is the value that a reg set value writes.
func (r *commandRequest) registryValue() (regValue, failure) {
	v := regValue{typ: r.ValueType}
	if v.typ == "" {
		v.typ = "REG_SZ"
	}
	var err error
	switch v.typ {
	case "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY":
		v.data, err = scalar(r.ValueData)
	case "REG_MULTI_SZ":
		v.data, err = texts(r.ValueData)
	case "REG_DWORD", "REG_QWORD":
		v.data, err = unsigned(r.ValueData, v.typ)
	default:
		return v, errInvalid
	}
	if err != nil {
		return v, errInvalid
	}
	return v, success
}

// scalar is a JSON string or number as text.
func scalar(raw json.RawMessage) (string, error) {
	var s string
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if raw[0] == '"' {
		err := json.Unmarshal(raw, &s)
		return s, err
	}
	var n json.Number
	err := json.Unmarshal(raw, &n)
	return n.String(), err
}

// texts is a JSON array of strings, or a single one.
func texts(raw json.RawMessage) ([]string, error) {
	list := []string{}
	if len(raw) > 0 && raw[0] == '[' {
		err := json.Unmarshal(raw, &list)
		return list, err
	}
	s, err := scalar(raw)
	return []string{s}, err
}

// unsigned is a number that fits the registry type.
func unsigned(raw json.RawMessage, typ string) (uint64, error) {
	s, err := scalar(raw)
	if err != nil {
		return 0, err
	}
	bits := 64
	if typ == "REG_DWORD" {
		bits = 32
	}
	if n, err := strconv.ParseInt(s, 10, bits); err == nil && n < 0 {
		return uint64(n) & (math.MaxUint64 >> (64 - bits)), nil
	}
	return strconv.ParseUint(s, 10, bits)
}

// A number is an integer that clients send as a JSON number or a decimal string;
// null and "" are 0.
type number int64

// UnmarshalJSON accepts 5, "5", 5.0, null and "".
func (n *number) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "" || s == "null" {
		*n = 0
		return nil
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		*n = number(i)
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(f) > 1<<53 {
		return fmt.Errorf("%.40q is not a number", s)
	}
	*n = number(f)
	return nil
}

// A flag is a boolean that clients send as such, as 0 or 1, or as text.
type flag bool

// UnmarshalJSON accepts true, "true", 1, null and their opposites.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true", "1":
		*f = true
	case "false", "0", "null", "":
		*f = false
	default:
		return fmt.Errorf("%.40q is not true or false", b)
	}
	return nil
}

// An epoch is a time as Live Response writes it: seconds with a fraction. It never
// looks like an integer.
type epoch time.Time

// MarshalJSON writes microseconds as the real server does, without trailing zeros.
func (t epoch) MarshalJSON() ([]byte, error) {
	micro := time.Time(t).UnixMicro()
	s := fmt.Sprintf("%d.%06d", micro/1e6, micro%1e6)
	s = strings.TrimRight(s, "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return []byte(s), nil
}

// IsZero lets omitzero leave an unset time out.
func (t epoch) IsZero() bool { return time.Time(t).IsZero() }
