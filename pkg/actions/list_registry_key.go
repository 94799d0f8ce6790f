package actions

import (
	"context"

	"edrpipe/pkg/edr"
)

// ListRegistryKeyParams are the parameters of list_registry_key.
type ListRegistryKeyParams struct {
	Key RegistryPath `json:"key" required:"true" doc:"key to list"`
}

// ListRegistryKeyOutput is the output of list_registry_key.
type ListRegistryKeyOutput struct {
	Key     string              `json:"key"`
	SubKeys []string            `json:"sub_keys"`
	Values  []edr.RegistryValue `json:"values"`
}

var _ = Register(Definition[ListRegistryKeyParams, ListRegistryKeyOutput]{
	Is: registrySpec("list_registry_key", "List the sub-keys and values of a registry key", Repeatable, "reg enum key"),
	Do: func(ctx context.Context, t *Task, p ListRegistryKeyParams) (ListRegistryKeyOutput, error) {
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return ListRegistryKeyOutput{}, err
		}
		k, err := s.RegistryKey(ctx, string(p.Key))
		if err != nil {
			return ListRegistryKeyOutput{}, err
		}
		return ListRegistryKeyOutput{Key: string(p.Key), SubKeys: k.SubKeys, Values: k.Values}, nil
	},
})
