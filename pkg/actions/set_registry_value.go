package actions

import (
	"context"
	"errors"
	"io/fs"

	"edrpipe/pkg/edr"
)

// SetRegistryValueParams are the parameters of set_registry_value.
type SetRegistryValueParams struct {
	Key       RegistryPath `json:"key" required:"true" doc:"key and name of the value"`
	Data      any          `json:"data" required:"true" doc:"text, whole number, or list of text; hex text for REG_BINARY"`
	Type      string       `json:"type" oneof:"REG_SZ,REG_EXPAND_SZ,REG_MULTI_SZ,REG_DWORD,REG_QWORD,REG_BINARY" doc:"type of the value; empty: by its data"`
	Overwrite bool         `json:"overwrite" default:"true" doc:"replace a value that is there"`
}

// Validate checks that data fits the type.
func (p SetRegistryValueParams) Validate() error {
	if _, late := p.Data.(templated); late {
		return nil // checked when the value is known
	}
	_, err := registryData(p.Type, p.Data)
	return err
}

var _ = Register(Definition[SetRegistryValueParams, RegistryValueOutput]{
	Is: registrySpec("set_registry_value", "Write a registry value", Checkable, "reg set value", "reg query value"),
	Do: func(ctx context.Context, t *Task, p SetRegistryValueParams) (RegistryValueOutput, error) {
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return RegistryValueOutput{}, err
		}
		v, err := registryData(p.Type, p.Data)
		if err != nil {
			return RegistryValueOutput{}, err
		}
		key, name := p.Key.value()
		v.Name = name
		if err := s.SetRegistryValue(ctx, string(p.Key), v, p.Overwrite); err != nil {
			return RegistryValueOutput{}, err
		}
		return RegistryValueOutput{Key: key, Name: name, Type: v.Type, Data: v.Data, Text: sysmonText(v)}, nil
	},
	Already: func(ctx context.Context, t *Task, p SetRegistryValueParams) (bool, RegistryValueOutput, error) {
		s, err := sessionWith[edr.Registry](ctx, t)
		if err != nil {
			return false, RegistryValueOutput{}, err
		}
		want, err := registryData(p.Type, p.Data)
		if err != nil {
			return false, RegistryValueOutput{}, err
		}
		got, err := s.RegistryValue(ctx, string(p.Key))
		if errors.Is(err, fs.ErrNotExist) {
			return false, RegistryValueOutput{}, nil
		}
		key, name := p.Key.value()
		return err == nil && got.Type == want.Type && sameData(got.Data, want.Data),
			RegistryValueOutput{Key: key, Name: name, Type: got.Type, Data: got.Data, Text: sysmonText(got)}, err
	},
})
