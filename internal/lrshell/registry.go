package lrshell

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"

	"edrpipe/internal/printable"
	"edrpipe/pkg/edr"
)

// regVerbs are the words after reg, with the number of arguments each takes.
var regVerbs = []struct {
	name     string
	min, max int
	run      func(ctx context.Context, s *Shell, f regFlags, args []string) error
}{
	{"ls", 1, 1, regList},
	{"query", 1, 1, regQuery},
	{"set", 2, -1, regSet},
	{"create", 1, 1, func(ctx context.Context, s *Shell, _ regFlags, a []string) error {
		return s.Endpoint.CreateRegistryKey(ctx, a[0])
	}},
	{"rm", 1, 1, func(ctx context.Context, s *Shell, _ regFlags, a []string) error {
		return s.Endpoint.DeleteRegistryKey(ctx, a[0])
	}},
	{"rmvalue", 1, 1, func(ctx context.Context, s *Shell, _ regFlags, a []string) error {
		return s.Endpoint.DeleteRegistryValue(ctx, a[0])
	}},
}

type regFlags struct {
	typ   string
	force bool
}

func regCommand() Command {
	return Command{
		Name: "reg", Args: "ls KEY | query KEY\\VALUE | set KEY\\VALUE DATA... | create KEY | rm KEY | rmvalue KEY\\VALUE",
		Summary: "read and change the registry", Min: 2, Max: -1, Complete: []Kind{RegistryVerb, Nothing},
		Flags: func(f *pflag.FlagSet) any {
			r := new(regFlags)
			f.StringVarP(&r.typ, "type", "t", "", "for set: REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ, REG_DWORD, REG_QWORD or REG_BINARY (hex)")
			f.BoolVarP(&r.force, "force", "f", false, "for set: overwrite the value")
			return r
		},
		Run: func(ctx context.Context, s *Shell, flags any, args []string) error {
			for _, v := range regVerbs {
				if v.name != args[0] {
					continue
				}
				if n := len(args) - 1; n < v.min || v.max >= 0 && n > v.max {
					return fmt.Errorf("%w: reg %s takes other arguments; see help reg", ErrUsage, v.name)
				}
				return v.run(ctx, s, *flags.(*regFlags), args[1:])
			}
			return fmt.Errorf("%w: reg has no %q; see help reg", ErrUsage, args[0])
		},
	}
}

func regList(ctx context.Context, s *Shell, _ regFlags, args []string) error {
	key, err := s.Endpoint.RegistryKey(ctx, strings.TrimRight(args[0], `\`))
	if err != nil {
		return err
	}
	return s.show(key, func(t table.Writer) {
		for _, sub := range key.SubKeys {
			t.AppendRow(table.Row{printable.Line(sub) + `\`})
		}
		for _, v := range key.Values {
			t.AppendRow(valueRow(v))
		}
	})
}

func regQuery(ctx context.Context, s *Shell, _ regFlags, args []string) error {
	v, err := s.Endpoint.RegistryValue(ctx, args[0])
	if err != nil {
		return err
	}
	return s.show(v, func(t table.Writer) { t.AppendRow(valueRow(v)) })
}

func valueRow(v edr.RegistryValue) table.Row {
	name := printable.Line(v.Name)
	if name == "" {
		name = "(default)"
	}
	data := printable.Line(fmt.Sprint(v.Data))
	if all, ok := v.Data.([]string); ok {
		quoted := make([]string, len(all))
		for i, e := range all {
			quoted[i] = strconv.Quote(e)
		}
		data = strings.Join(quoted, " ")
	}
	return table.Row{name, v.Type, data}
}

func regSet(ctx context.Context, s *Shell, f regFlags, args []string) error {
	path, data := args[0], args[1:]
	v := edr.RegistryValue{Type: strings.ToUpper(f.typ), Name: path[strings.LastIndex(path, `\`)+1:]}
	switch {
	case v.Type == "REG_MULTI_SZ" || len(data) > 1:
		v.Type, v.Data = "REG_MULTI_SZ", data
	default:
		v.Data = data[0]
	}
	return s.Endpoint.SetRegistryValue(ctx, path, v, f.force)
}
