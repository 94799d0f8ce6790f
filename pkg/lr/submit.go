package lr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// submit sends a command until the server has taken it once.
func (s *Session) submit(ctx context.Context, cmd command) (commandJSON, error) {
	w := s.whereOf(cmd)
	pauses := s.c.pauses()
	for try := 1; ; try++ {
		after := s.lastCommand()
		if hook := edr.ContextTrace(ctx).Submitting; hook != nil {
			if err := hook(ctx, cmd.name, w.Object, w.Session, after); err != nil {
				return commandJSON{}, err
			}
		}
		got, f := s.post(ctx, cmd, w)
		if f == nil {
			return got, nil
		}
		if ctx.Err() != nil {
			return got, ambiguousIf(cmd.changes, f)
		}
		if f.passing && f.delivery != unsent {
			found, sure := s.lookup(ctx, cmd, after, f)
			switch {
			case found != nil:
				return *found, nil
			case !sure && cmd.changes:
				return got, ambiguous(f)
			}
		}
		if !f.passing || try >= s.c.cfg.Tries {
			return got, f.err
		}
		if err := pace.Sleep(ctx, pauses.NextBackOff()); err != nil {
			return got, liveresponse.Unanswered(w, err)
		}
	}
}

// post sends the command once.
func (s *Session) post(ctx context.Context, cmd command, w edr.Where) (commandJSON, *failure) {
	body := map[string]any{"name": cmd.name, "session_id": s.id}
	if cmd.object != nil {
		body["object"] = cmd.object
	}
	maps.Copy(body, cmd.args)
	var got commandJSON
	f := s.c.once(ctx, call{method: http.MethodPost, path: s.route("command"), body: body, out: &got, where: w})
	if f == nil && string(got.Name) != cmd.name {
		f = &failure{
			err:      &Error{Where: w, Kind: edr.ErrServer, Reason: fmt.Sprintf("answer is about command %.40q", got.Name)},
			delivery: answered, passing: true,
		}
	}
	if f == nil {
		s.seen(int64(got.ID))
	}
	return got, f
}

// lookup searches the session's list for a command whose request got no usable
// answer. sure is true when it is certainly not there: the server has dealt with
// the request and lists no such command. A request that was lost on the way may
// yet arrive, so that its absence never becomes certain; it is looked for until
// Config.Settle is over.
func (s *Session) lookup(ctx context.Context, cmd command, after int64, f *failure) (found *commandJSON, sure bool) {
	until := time.Now().Add(s.c.cfg.Settle)
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		all, err := s.c.commandList(ctx, s.id, s.whereOf(cmd))
		if err != nil {
			return nil, false
		}
		for _, got := range all {
			s.seen(int64(got.ID))
			if int64(got.ID) > after && string(got.Name) == cmd.name && string(got.Object) == objectText(cmd.object) {
				return &got, true
			}
		}
		if f.delivery == answered {
			return nil, true
		}
		if time.Now().Add(wait).After(until) || pace.Sleep(ctx, wait) != nil {
			return nil, false
		}
	}
}

func ambiguousIf(changes bool, f *failure) error {
	if changes {
		return ambiguous(f)
	}
	return f.err
}

// objectText is a command's object as its record shows it.
func objectText(object any) string {
	if object == nil {
		return ""
	}
	return fmt.Sprint(object)
}

func isDeadline(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
