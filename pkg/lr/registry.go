package lr

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"edrpipe/pkg/edr"
)

type valueJSON struct {
	Name text            `json:"value_name"`
	Type text            `json:"value_type"`
	Data json.RawMessage `json:"value_data"`
}

// RegistryKey returns the sub-keys and values of a key.
func (s *Session) RegistryKey(ctx context.Context, key string) (edr.RegistryKey, error) {
	done, err := s.run(ctx, command{name: cmdRegKey, object: key})
	if err != nil {
		return edr.RegistryKey{}, err
	}
	k := edr.RegistryKey{SubKeys: texts(done.SubKeys), Values: make([]edr.RegistryValue, len(done.Values))}
	for i, v := range done.Values {
		if k.Values[i], err = v.value(); err != nil {
			return k, fmt.Errorf("sensor %s: registry key %q: %w", s.Info().SensorID, key, err)
		}
	}
	return k, nil
}

// RegistryValue returns one value; path is the key, a backslash and its name.
func (s *Session) RegistryValue(ctx context.Context, path string) (edr.RegistryValue, error) {
	done, err := s.run(ctx, command{name: cmdRegValue, object: path})
	if err != nil {
		return edr.RegistryValue{}, err
	}
	if done.Value == nil {
		w := s.where()
		id := int64(done.ID)
		w.Command, w.Name, w.Object = &id, cmdRegValue, path
		return edr.RegistryValue{}, &Error{Where: w, Kind: edr.ErrServer, Reason: "answer has no value"}
	}
	v, err := done.Value.value()
	if err != nil {
		return v, fmt.Errorf("sensor %s: registry value %q: %w", s.Info().SensorID, path, err)
	}
	return v, nil
}

// SetRegistryValue writes a value; path is the key, a backslash and its name.
// An empty Type is chosen by Data: REG_DWORD for an integer, REG_MULTI_SZ for a
// list, otherwise REG_SZ.
func (s *Session) SetRegistryValue(ctx context.Context, path string, v edr.RegistryValue, overwrite bool) error {
	typ, data, err := wireValue(v)
	if err != nil {
		return fmt.Errorf("registry value %q: %w", path, err)
	}
	_, err = s.run(ctx, command{name: cmdRegSet, object: path, changes: true, args: map[string]any{
		"value_type": typ, "value_data": data, "overwrite": overwrite,
	}})
	return err
}

// CreateRegistryKey creates a key.
func (s *Session) CreateRegistryKey(ctx context.Context, key string) error {
	_, err := s.run(ctx, command{name: cmdRegCreate, object: key, changes: true})
	return err
}

// DeleteRegistryKey deletes a key.
func (s *Session) DeleteRegistryKey(ctx context.Context, key string) error {
	_, err := s.run(ctx, command{name: cmdRegDelete, object: key, changes: true})
	return err
}

// DeleteRegistryValue deletes a value.
func (s *Session) DeleteRegistryValue(ctx context.Context, path string) error {
	_, err := s.run(ctx, command{name: cmdRegDelValue, object: path, changes: true})
	return err
}

// value decodes a value as its type says, whatever JSON carries it.
func (v valueJSON) value() (edr.RegistryValue, error) {
	r := edr.RegistryValue{Name: string(v.Name), Type: string(v.Type)}
	raw := bytes.TrimSpace(v.Data)
	if len(raw) > 0 && raw[0] == '[' {
		var all list[text]
		err := json.Unmarshal(raw, &all)
		r.Data = texts(all)
		return r, err
	}
	s, err := scalar(raw)
	if err != nil {
		return r, fmt.Errorf("value %q: %w", r.Name, err)
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

// wireValue checks a value and gives it the form that requests carry.
func wireValue(v edr.RegistryValue) (typ string, data any, err error) {
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
