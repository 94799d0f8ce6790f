package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"edrpipe/pkg/edr"
)

// DeleteRegistryKeyParams are the parameters of delete_registry_key.
type DeleteRegistryKeyParams struct {
	Key RegistryPath `json:"key" required:"true" doc:"the key"`
}

// Validate refuses keys so high up that no rule can mean them.
func (p DeleteRegistryKeyParams) Validate() error {
	if depth := strings.Count(strings.TrimRight(string(p.Key), `\`), `\`); depth < 2 {
		return fmt.Errorf("%s is too near the top of its hive to be deleted", edr.Quote(string(p.Key)))
	}
	return nil
}

var _ = Register(Definition[DeleteRegistryKeyParams, RegistryChangeOutput]{
	Is: registrySpec("delete_registry_key", "Delete a registry key", Checkable, "reg delete key", "reg enum key"),
	Do: func(ctx context.Context, t *Task, p DeleteRegistryKeyParams) (RegistryChangeOutput, error) {
		out := RegistryChangeOutput{Key: string(p.Key)}
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return out, err
		}
		err = s.DeleteRegistryKey(ctx, string(p.Key))
		if errors.Is(err, fs.ErrNotExist) {
			return out, nil
		}
		out.Changed = err == nil
		return out, err
	},
	Already: func(ctx context.Context, t *Task, p DeleteRegistryKeyParams) (bool, RegistryChangeOutput, error) {
		gone, err := keyGone(ctx, t, p.Key)
		return gone, RegistryChangeOutput{Key: string(p.Key), Changed: true}, err
	},
})

// keyGone reports whether a registry key does not exist.
func keyGone(ctx context.Context, t *Task, key RegistryPath) (bool, error) {
	s, err := sessionWith[edr.Registry](ctx, t)
	if err != nil {
		return false, err
	}
	_, err = s.RegistryKey(ctx, string(key))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}
