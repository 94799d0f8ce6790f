package edr

import "context"

// A Trace is called for each command of a session at the moments that matter for
// evidence and crash safety. The session calls it; the runner of a chain sets it.
type Trace struct {
	// Submitting is called before the request of a command is sent. after is the
	// highest command id known in the session, or NoCommand. An error cancels the
	// command before it is sent. Intents are recorded and the stop switch is checked
	// here.
	Submitting func(ctx context.Context, name, object, session string, after int64) error
	// Submitted is called when the server has taken the command and its id is known.
	Submitted func(ctx context.Context, c Command)
	// Finished is called with the final state of the command.
	Finished func(ctx context.Context, c Command)
}

type traceKey struct{}

// WithTrace returns a context whose commands are seen by t.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// ContextTrace returns the trace of ctx; never nil, its functions may be.
func ContextTrace(ctx context.Context) *Trace {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		return t
	}
	return &Trace{}
}
