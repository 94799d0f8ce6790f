package cbc

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// valueJSON is a registry value in the names of all generations.
type valueJSON struct {
	Name    text            `json:"value_name"`
	Type    text            `json:"value_type"`
	Data    json.RawMessage `json:"value_data"`
	RegName text            `json:"registry_name"`
	RegType text            `json:"registry_type"`
	RegData json.RawMessage `json:"registry_data"`
	OldName text            `json:"valueName"`
	OldType text            `json:"valueType"`
	OldData json.RawMessage `json:"valueData"`
}

// decode reads a value. Its type may have the prefix pb, and several texts may come
// joined by commas: these stay one, because a comma may also be part of a text.
func (v valueJSON) decode() (edr.RegistryValue, error) {
	data := v.Data
	for _, other := range []json.RawMessage{v.RegData, v.OldData} {
		if len(data) == 0 {
			data = other
		}
	}
	typ := strings.TrimPrefix(first(v.Type, v.RegType, v.OldType), "pb")
	return liveresponse.Value{Name: text(first(v.Name, v.RegName, v.OldName)), Type: text(typ), Data: data}.Decode()
}

// RegistryKey returns the sub-keys and values of a key.
func (s *Session) RegistryKey(ctx context.Context, key string) (edr.RegistryKey, error) {
	done, err := s.run(ctx, command{name: cmdRegKey, path: key})
	if err != nil {
		return edr.RegistryKey{}, err
	}
	k := edr.RegistryKey{SubKeys: liveresponse.Texts(done.SubKeys), Values: make([]edr.RegistryValue, len(done.Values))}
	for i, v := range done.Values {
		if k.Values[i], err = v.decode(); err != nil {
			return k, fmt.Errorf("device %s: registry key %s: %w", s.Info().SensorID, edr.Quote(key), err)
		}
	}
	return k, nil
}

// RegistryValue returns one value; path is the key, a backslash and its name.
func (s *Session) RegistryValue(ctx context.Context, path string) (edr.RegistryValue, error) {
	cmd := command{name: cmdRegValue, path: path}
	done, err := s.run(ctx, cmd)
	if err != nil {
		return edr.RegistryValue{}, err
	}
	if done.Value == nil {
		return edr.RegistryValue{}, &Error{Where: s.whereOf(cmd), Kind: edr.ErrServer, Reason: "answer has no value"}
	}
	v, err := done.Value.decode()
	if err != nil {
		return v, fmt.Errorf("device %s: registry value %s: %w", s.Info().SensorID, edr.Quote(path), err)
	}
	return v, nil
}

// SetRegistryValue writes a value; path is the key, a backslash and its name. An
// empty Type is chosen by Data: REG_DWORD for an integer, REG_MULTI_SZ for a list,
// otherwise REG_SZ.
func (s *Session) SetRegistryValue(ctx context.Context, path string, v edr.RegistryValue, overwrite bool) error {
	typ, data, err := liveresponse.EncodeValue(v)
	if err != nil {
		return fmt.Errorf("registry value %s: %w", edr.Quote(path), err)
	}
	_, err = s.run(ctx, command{name: cmdRegSet, path: path, changes: true, args: map[string]any{
		"value_type": typ, "value_data": data, "overwrite": overwrite,
	}})
	return err
}

// CreateRegistryKey creates a key.
func (s *Session) CreateRegistryKey(ctx context.Context, key string) error {
	_, err := s.run(ctx, command{name: cmdRegCreate, path: key, changes: true})
	return err
}

// DeleteRegistryKey deletes a key.
func (s *Session) DeleteRegistryKey(ctx context.Context, key string) error {
	_, err := s.run(ctx, command{name: cmdRegDelete, path: key, changes: true})
	return err
}

// DeleteRegistryValue deletes a value.
func (s *Session) DeleteRegistryValue(ctx context.Context, path string) error {
	_, err := s.run(ctx, command{name: cmdRegDelValue, path: path, changes: true})
	return err
}
