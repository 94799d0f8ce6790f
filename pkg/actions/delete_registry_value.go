package actions

import (
	"context"
	"errors"
	"io/fs"

	"edrpipe/pkg/edr"
)

// DeleteRegistryValueParams are the parameters of delete_registry_value.
type DeleteRegistryValueParams struct {
	Key RegistryPath `json:"key" required:"true" doc:"key and name of the value"`
}

var _ = Register(Definition[DeleteRegistryValueParams, RegistryChangeOutput]{
	Is: registrySpec("delete_registry_value", "Delete a registry value", Checkable, "reg delete value", "reg query value"),
	Do: func(ctx context.Context, t *Task, p DeleteRegistryValueParams) (RegistryChangeOutput, error) {
		out := RegistryChangeOutput{Key: string(p.Key)}
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return out, err
		}
		err = s.DeleteRegistryValue(ctx, string(p.Key))
		if errors.Is(err, fs.ErrNotExist) {
			return out, nil
		}
		out.Changed = err == nil
		return out, err
	},
	Already: func(ctx context.Context, t *Task, p DeleteRegistryValueParams) (bool, RegistryChangeOutput, error) {
		out := RegistryChangeOutput{Key: string(p.Key), Changed: true}
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return false, out, err
		}
		_, err = s.RegistryValue(ctx, string(p.Key))
		if errors.Is(err, fs.ErrNotExist) {
			return true, out, nil
		}
		return false, out, err
	},
})
