package order

import (
	"context"

	"edrpipe/pkg/actions"
)

// The order only reads of an action whether it needs a session.
var _ = actions.Register(actions.Definition[struct{}, struct{}]{
	Is: actions.Spec{Name: "test_read", Class: actions.Repeatable, Session: true, Commands: []string{"get file"}},
	Do: func(context.Context, *actions.Task, struct{}) (struct{}, error) { return struct{}{}, nil },
})
