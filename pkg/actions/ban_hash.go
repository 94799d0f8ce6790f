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
	Do: func(ctx context.Context, t *Task, p BanHashParams) (BanHashOutput, error) {
		return t.setBan(ctx, p, true)
	},
	Already: func(ctx context.Context, t *Task, p BanHashParams) (bool, BanHashOutput, error) {
		return t.checkBan(ctx, p, true)
	},
})

// setBan bans or unbans, and asks the server whether it took effect.
func (t *Task) setBan(ctx context.Context, p BanHashParams, banned bool) (BanHashOutput, error) {
	power, err := t.banner()
	if err != nil {
		return BanHashOutput{}, err
	}
	if banned {
		err = power.Ban(ctx, string(p.MD5), p.Reason)
	} else {
		err = power.Unban(ctx, string(p.MD5))
	}
	if err != nil {
		return BanHashOutput{}, fmt.Errorf("set ban of %s to %t: %w", p.MD5, banned, err)
	}
	done, out, err := t.checkBan(ctx, p, banned)
	if err == nil && !done {
		err = fmt.Errorf("set ban of %s to %t: the server accepted it and does not do it", p.MD5, banned)
	}
	return out, err
}

func (t *Task) checkBan(ctx context.Context, p BanHashParams, want bool) (bool, BanHashOutput, error) {
	power, err := t.banner()
	if err != nil {
		return false, BanHashOutput{}, err
	}
	is, err := power.Banned(ctx, string(p.MD5))
	if err != nil {
		return false, BanHashOutput{}, fmt.Errorf("look up ban of %s: %w", p.MD5, err)
	}
	return is == want, BanHashOutput{MD5: string(p.MD5), Banned: is}, nil
}

func (t *Task) banner() (edr.HashBanner, error) {
	return edr.As[edr.HashBanner](t.Server)
}
