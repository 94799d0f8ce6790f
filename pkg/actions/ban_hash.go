package actions

import (
	"context"
	"fmt"

	"edrpipe/pkg/edr"
)

// BanHashParams are the parameters of ban_hash and unban_hash.
type BanHashParams struct {
	MD5    MD5    `json:"md5" doc:"MD5 of the binary: what Carbon Black EDR bans by"`
	SHA256 SHA256 `json:"sha256" doc:"SHA-256 of the binary: what Carbon Black Cloud bans by; give both where a rule serves both"`
	Reason string `json:"reason" doc:"kept with the ban on the server"`
}

// BanHashOutput is the output of ban_hash and unban_hash.
type BanHashOutput struct {
	MD5    string `json:"md5"`
	SHA256 string `json:"sha256"`
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
		if is, err := t.banned(ctx, p); err != nil || !is {
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
	return BanHashOutput{MD5: string(p.MD5), SHA256: string(p.SHA256), Banned: err == nil, Changed: changed}, err
}

// unban takes a reason away, and lifts the ban when it was the last.
func (t *Task) unban(ctx context.Context, p BanHashParams) (BanHashOutput, error) {
	c, err := t.hashBan(p)
	if err != nil {
		return BanHashOutput{}, err
	}
	out := BanHashOutput{MD5: string(p.MD5), SHA256: string(p.SHA256)}
	if out.Changed, out.Kept, err = t.release(ctx, c); err == nil {
		out.Banned, err = t.banned(ctx, p)
	}
	return out, err
}

// hashBan is the ban of a hash as something that several may want.
func (t *Task) hashBan(p BanHashParams) (contained, error) {
	power, hash, err := t.banner(p)
	if err != nil {
		return contained{}, err
	}
	return contained{
		key: "ban " + t.Server.Name() + "/" + hash,
		is: func(ctx context.Context) (on, ending bool, err error) {
			on, err = t.banned(ctx, p)
			return on, false, err
		},
		set: func(ctx context.Context, want bool) error {
			var err error
			if want {
				err = power.Ban(ctx, hash, p.Reason)
			} else {
				err = power.Unban(ctx, hash)
			}
			if err != nil {
				return fmt.Errorf("set ban of %s to %t: %w", hash, want, err)
			}
			return nil
		},
		wait: func(ctx context.Context, want bool) error {
			is, err := t.banned(ctx, p)
			if err == nil && is != want {
				err = fmt.Errorf("set ban of %s to %t: the server accepted it and does not do it", hash, want)
			}
			return err
		},
	}, nil
}

func (t *Task) banned(ctx context.Context, p BanHashParams) (bool, error) {
	power, hash, err := t.banner(p)
	if err != nil {
		return false, err
	}
	is, err := power.Banned(ctx, hash)
	if err != nil {
		return false, fmt.Errorf("look up ban of %s: %w", hash, err)
	}
	return is, nil
}

// banner is what bans, with the digest of the step that the server bans by.
func (t *Task) banner(p BanHashParams) (edr.HashBanner, string, error) {
	power, err := edr.As[edr.HashBanner](t.Server)
	if err != nil {
		return nil, "", err
	}
	kind := power.BansBy()
	hash := map[edr.HashKind]string{edr.MD5: string(p.MD5), edr.SHA256: string(p.SHA256)}[kind]
	if hash == "" {
		return nil, "", fmt.Errorf("server %s bans by %s, which the step does not have: %w; nothing was done", t.Server.Name(), kind, edr.ErrUnsupported)
	}
	return power, hash, nil
}
