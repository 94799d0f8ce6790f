package actions

import (
	"context"
	"errors"
	"io/fs"

	"edrpipe/pkg/edr"
)

// RegistryKeyParams name a registry key to create or delete.
type RegistryKeyParams struct {
	Key RegistryPath `json:"key" required:"true" doc:"the key"`
}

// RegistryChangeOutput reports whether the registry was changed.
type RegistryChangeOutput struct {
	Key     string `json:"key"`
	Changed bool   `json:"changed" doc:"false: it was so already"`
}

var _ = Register(Definition[RegistryKeyParams, RegistryChangeOutput]{
	Is: registrySpec("create_registry_key", "Create a registry key", Checkable, "reg create key", "reg enum key"),
	Do: func(ctx context.Context, t *Task, p RegistryKeyParams) (RegistryChangeOutput, error) {
		out := RegistryChangeOutput{Key: string(p.Key)}
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return out, err
		}
		err = s.CreateRegistryKey(ctx, string(p.Key))
		if errors.Is(err, fs.ErrExist) {
			return out, nil
		}
		out.Changed = err == nil
		return out, err
	},
	Already: func(ctx context.Context, t *Task, p RegistryKeyParams) (bool, RegistryChangeOutput, error) {
		gone, err := keyGone(ctx, t, p.Key)
		return err == nil && !gone, RegistryChangeOutput{Key: string(p.Key), Changed: true}, err
	},
})
