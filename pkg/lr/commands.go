package lr

import (
	"context"
	"errors"
	"net/http"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// command is a command to be sent.
type command struct {
	name    string
	object  any            // string, int or nil, as it goes on the wire
	args    map[string]any // further fields of the request
	changes bool           // changes the endpoint: must not run twice
	// progress sees the command each time it is looked at; may be nil.
	progress func(commandJSON)
}

// run sends a command and waits for its end. An endpoint's refusal is an
// *edr.ResultError.
func (s *Session) run(ctx context.Context, cmd command) (commandJSON, error) {
	if err := s.active(ctx); err != nil {
		return commandJSON{}, liveresponse.At(err, s.whereOf(cmd))
	}
	if !s.Supports(cmd.name) {
		return commandJSON{}, &Error{Where: s.whereOf(cmd), Kind: edr.ErrUnsupported}
	}
	sent, err := s.submit(ctx, cmd)
	if err != nil {
		return commandJSON{}, err
	}
	trace := edr.ContextTrace(ctx)
	if trace.Submitted != nil {
		trace.Submitted(ctx, sent.command(idText(s.id)))
	}
	done := sent
	if !sent.status().Done() {
		if done, err = s.finish(ctx, cmd, sent); err != nil {
			return commandJSON{}, err
		}
	}
	if trace.Finished != nil {
		trace.Finished(ctx, done.command(idText(s.id)))
	}
	return done, s.verdict(done)
}

func (s *Session) whereOf(cmd command) edr.Where {
	w := s.where()
	w.Name, w.Object = cmd.name, objectText(cmd.object)
	return w
}

// finish waits for the end of a command that the server has taken, and keeps
// the session alive meanwhile.
func (s *Session) finish(ctx context.Context, cmd command, sent commandJSON) (commandJSON, error) {
	w := s.whereOf(cmd)
	id := int64(sent.ID)
	w.Command = &id
	kept, stop := s.keep(ctx)
	defer stop()
	done, err := s.watch(kept, id, w, cmd.progress)
	if err == nil || !errors.Is(err, edr.ErrSessionGone) || ctx.Err() != nil {
		return done, liveresponse.At(err, w)
	}
	// The server may keep what became of the command after the session's end.
	var last commandJSON
	if s.c.do(ctx, call{method: http.MethodGet, path: s.commandRoute(id), out: &last, repeat: true, where: w}) == nil && last.status().Done() {
		return last, nil
	}
	if cmd.changes {
		err = &Error{Where: w, Kind: edr.ErrAmbiguous, Cause: err}
	}
	return last, liveresponse.At(err, w)
}

// outcome waits for the end of a command.
func (s *Session) outcome(ctx context.Context, id int64, w edr.Where) (commandJSON, error) {
	kept, stop := s.keep(ctx)
	defer stop()
	return s.watch(kept, id, w, nil)
}

func (s *Session) watch(ctx context.Context, id int64, w edr.Where, progress func(commandJSON)) (commandJSON, error) {
	var got commandJSON
	err := s.c.await(ctx, w, maxCommandPoll, func(ctx context.Context, hold time.Duration) (bool, error) {
		if progress != nil {
			hold = min(hold, maxCommandPoll) // progress is displayed
		}
		var now commandJSON
		timely, err := s.c.held(ctx, call{method: http.MethodGet, path: s.commandRoute(id), out: &now, where: w}, hold)
		if err != nil || !timely {
			return false, err
		}
		got = now
		if progress != nil {
			progress(now)
		}
		return now.status().Done(), nil
	})
	return got, err
}

// keep sends keepalives until stop is called. When the server answers that the
// session is gone, the returned context ends with that error: some servers list
// the command of a dead session as pending for ever.
func (s *Session) keep(ctx context.Context) (context.Context, func()) {
	kept, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pace.Sleep(kept, s.keepAlive) == nil {
			if err := s.KeepAlive(kept); errors.Is(err, edr.ErrSessionGone) {
				cancel(err)
			}
		}
	}()
	return kept, func() {
		cancel(context.Canceled)
		<-ended
	}
}

// verdict turns the end of a command into an error.
func (s *Session) verdict(done commandJSON) error {
	w := s.where()
	id := int64(done.ID)
	w.Command, w.Name, w.Object = &id, string(done.Name), string(done.Object)
	switch {
	case done.status() == edr.CommandCancelled:
		return &Error{Where: w, Kind: edr.ErrCancelled}
	case done.status() == edr.CommandError || done.Code != 0:
		return liveresponse.NewError(w, uint32(done.Code), string(done.Type), string(done.Desc), s.os)
	}
	return nil
}
