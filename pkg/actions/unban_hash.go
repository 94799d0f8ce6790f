package actions

import "edrpipe/pkg/edr"

import "context"

var _ = Register(Definition[BanHashParams, BanHashOutput]{
	Is: Spec{
		Name:        "unban_hash",
		Summary:     "Let a banned binary run again",
		Class:       Checkable,
		Powers:      []edr.Power{edr.PowerBan},
		Destructive: true,
		Permissions: []string{permitBan},
	},
	Do: func(ctx context.Context, t *Task, p BanHashParams) (BanHashOutput, error) { return t.unban(ctx, p) },
	Already: func(ctx context.Context, t *Task, p BanHashParams) (bool, BanHashOutput, error) {
		if is, err := t.banned(ctx, p); err != nil || is {
			return false, BanHashOutput{}, err
		}
		out, err := t.unban(ctx, p) // the reason may not be taken away yet
		return err == nil, out, err
	},
})
