package actions

import (
	"context"

	"edrpipe/pkg/edr"
)

// GetRegistryValueParams are the parameters of get_registry_value.
type GetRegistryValueParams struct {
	Key RegistryPath `json:"key" required:"true" doc:"key and name of the value; ends in a backslash for the key's default value"`
}

var _ = Register(Definition[GetRegistryValueParams, RegistryValueOutput]{
	Is: registrySpec("get_registry_value", "Read a registry value", Repeatable, "reg query value"),
	Do: func(ctx context.Context, t *Task, p GetRegistryValueParams) (RegistryValueOutput, error) {
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return RegistryValueOutput{}, err
		}
		v, err := s.RegistryValue(ctx, string(p.Key))
		if err != nil {
			return RegistryValueOutput{}, err
		}
		key, name := p.Key.value()
		return RegistryValueOutput{Key: key, Name: name, Type: v.Type, Data: v.Data, Text: sysmonText(v)}, nil
	},
})
