package lr

import (
	"context"
	"fmt"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// RegistryKey returns the sub-keys and values of a key.
func (s *Session) RegistryKey(ctx context.Context, key string) (edr.RegistryKey, error) {
	done, err := s.run(ctx, command{name: cmdRegKey, object: key})
	if err != nil {
		return edr.RegistryKey{}, err
	}
	k := edr.RegistryKey{SubKeys: liveresponse.Texts(done.SubKeys), Values: make([]edr.RegistryValue, len(done.Values))}
	for i, v := range done.Values {
		if k.Values[i], err = v.Decode(); err != nil {
			return k, fmt.Errorf("sensor %s: registry key %s: %w", s.Info().SensorID, edr.Quote(key), err)
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
	v, err := done.Value.Decode()
	if err != nil {
		return v, fmt.Errorf("sensor %s: registry value %s: %w", s.Info().SensorID, edr.Quote(path), err)
	}
	return v, nil
}

// SetRegistryValue writes a value; path is the key, a backslash and its name.
// An empty Type is chosen by Data: REG_DWORD for an integer, REG_MULTI_SZ for a
// list, otherwise REG_SZ.
func (s *Session) SetRegistryValue(ctx context.Context, path string, v edr.RegistryValue, overwrite bool) error {
	typ, data, err := liveresponse.EncodeValue(v)
	if err != nil {
		return fmt.Errorf("registry value %s: %w", edr.Quote(path), err)
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
