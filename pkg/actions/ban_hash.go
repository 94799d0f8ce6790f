package actions

import (
	"context"
	"fmt"

	"edrpipe/pkg/edr"
)

// BanHashParams are the parameters of ban_hash and unban_hash.
type BanHashParams struct {
	MD5    MD5    `json:"md5" required:"true" doc:"MD5 of the binary"`
	Reason string `json:"reason" doc:"kept with the ban on the server"`
}

// BanHashOutput is the output of ban_hash and unban_hash.
type BanHashOutput struct {
	MD5    string `json:"md5"`
	Banned bool   `json:"banned" doc:"as the server confirmed it"`

	Changed bool     `json:"changed" doc:"the step brought this about; false: it was so"`
	Kept    []string `json:"kept,omitempty" doc:"who still wants the binary banned: so the ban was not lifted"`
}

var _ = Register(Definition[BanHashParams, BanHashOutput]{
	Is: Spec{
		Name:        "ban_hash",
		Summary:     "Stop a binary from running on every sensor",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerBan},
		Destructive: true,
		Undo:        "unban_hash",
		Permissions: []string{permitBan},
	},
	Do: func(ctx context.Context, t *Task, p BanHashParams) (BanHashOutput, error) { return t.ban(ctx, p) },
	Already: func(ctx context.Context, t *Task, p BanHashParams) (bool, BanHashOutput, error) {
		if is, err := t.banned(ctx, p.MD5); err != nil || !is {
			return false, BanHashOutput{}, err
		}
		out, err := t.ban(ctx, p) // the reason may not be recorded yet
		return err == nil, out, err
	},
})

func (t *Task) ban(ctx context.Context, p BanHashParams) (BanHashOutput, error) {
	c, err := t.hashBan(p)
	if err != nil {
		return BanHashOutput{}, err
	}
	changed, err := t.contain(ctx, c)
	return BanHashOutput{MD5: string(p.MD5), Banned: err == nil, Changed: changed}, err
}

// unban takes a reason away, and lifts the ban when it was the last.
func (t *Task) unban(ctx context.Context, p BanHashParams) (BanHashOutput, error) {
	c, err := t.hashBan(p)
	if err != nil {
		return BanHashOutput{}, err
	}
	out := BanHashOutput{MD5: string(p.MD5)}
	if out.Changed, out.Kept, err = t.release(ctx, c); err == nil {
		out.Banned, err = t.banned(ctx, p.MD5)
	}
	return out, err
}

// hashBan is the ban of a hash as something that several may want.
func (t *Task) hashBan(p BanHashParams) (contained, error) {
	power, err := t.banner()
	if err != nil {
		return contained{}, err
	}
	return contained{
		key: "ban " + t.Server.Name() + "/" + string(p.MD5),
		is: func(ctx context.Context) (on, ending bool, err error) {
			on, err = t.banned(ctx, p.MD5)
			return on, false, err
		},
		set: func(ctx context.Context, want bool) error {
			var err error
			if want {
				err = power.Ban(ctx, string(p.MD5), p.Reason)
			} else {
				err = power.Unban(ctx, string(p.MD5))
			}
			if err != nil {
				return fmt.Errorf("set ban of %s to %t: %w", p.MD5, want, err)
			}
			return nil
		},
		wait: func(ctx context.Context, want bool) error {
			is, err := t.banned(ctx, p.MD5)
			if err == nil && is != want {
				err = fmt.Errorf("set ban of %s to %t: the server accepted it and does not do it", p.MD5, want)
			}
			return err
		},
	}, nil
}

func (t *Task) banned(ctx context.Context, md5 MD5) (bool, error) {
	power, err := t.banner()
	if err != nil {
		return false, err
	}
	is, err := power.Banned(ctx, string(md5))
	if err != nil {
		return false, fmt.Errorf("look up ban of %s: %w", md5, err)
	}
	return is, nil
}

func (t *Task) banner() (edr.HashBanner, error) {
	return edr.As[edr.HashBanner](t.Server)
}
