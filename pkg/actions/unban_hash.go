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
	Do: func(ctx context.Context, t *Task, p BanHashParams) (BanHashOutput, error) {
		return t.setBan(ctx, p, false)
	},
	Already: func(ctx context.Context, t *Task, p BanHashParams) (bool, BanHashOutput, error) {
		return t.checkBan(ctx, p, false)
	},
})
