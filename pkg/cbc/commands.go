package cbc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// command is a command to be sent.
type command struct {
	name    string
	path    string         // the target, or "" for none
	args    map[string]any // further fields of the request
	changes bool           // changes the endpoint: must not run twice
	poll    time.Duration  // longest pause between looks, in multiples of Config.Poll; 0: maxPoll
	// progress is called with the command each time it is looked at; may be nil.
	progress func(commandJSON)
}

// body is the request, refused here when the server would not take its size.
func (cmd command) body() (json.RawMessage, error) {
	fields := map[string]any{"name": cmd.name}
	if cmd.path != "" {
		fields["path"] = cmd.path
	}
	maps.Copy(fields, cmd.args)
	b, err := json.Marshal(fields)
	if err == nil && len(b) > maxCommand {
		err = fmt.Errorf("%w (%d bytes)", ErrTooLarge, len(b))
	}
	return b, err
}

// object is the target as the command's record shows it.
func (cmd command) object() string {
	if pid, ok := cmd.args["pid"]; ok {
		return fmt.Sprint(pid)
	}
	return cmd.path
}

// run sends a command and waits for its end. An endpoint's refusal is an
// *edr.ResultError.
func (s *Session) run(ctx context.Context, cmd command) (commandJSON, error) {
	body, err := cmd.body()
	if err != nil {
		return commandJSON{}, &Error{Where: s.whereOf(cmd), Cause: err}
	}
	if err := s.active(ctx, cmd); err != nil {
		return commandJSON{}, err
	}
	sent, err := s.submit(ctx, cmd, body)
	if err != nil {
		return commandJSON{}, err
	}
	trace := edr.ContextTrace(ctx)
	if trace.Submitted != nil {
		trace.Submitted(ctx, sent.command(s.id))
	}
	done := sent
	if !sent.status().Done() {
		if done, err = s.finish(ctx, cmd, int64(sent.ID)); err != nil {
			return commandJSON{}, err
		}
	}
	if trace.Finished != nil {
		trace.Finished(ctx, done.command(s.id))
	}
	return done, s.verdict(cmd, done)
}

// active blocks until the device has joined the session, and checks that it supports
// the command.
func (s *Session) active(ctx context.Context, cmd command) error {
	switch status := s.Info().Status; status {
	case edr.SessionActive, edr.SessionPending:
		if err := s.Await(ctx); err != nil {
			return liveresponse.At(err, s.whereOf(cmd))
		}
	default:
		return liveresponse.At(s.gone("it is in state "+string(status)), s.whereOf(cmd))
	}
	if !s.Supports(cmd.name) {
		return &Error{Where: s.whereOf(cmd), Kind: edr.ErrUnsupported}
	}
	s.mu.Lock()
	full := s.sent >= maxCommands
	s.mu.Unlock()
	if full {
		_ = s.Close(ctx) // its owner opens another; a failure shows there
		return liveresponse.At(s.gone("it has had as many commands as one session takes"), s.whereOf(cmd))
	}
	return nil
}

func (s *Session) whereOf(cmd command) edr.Where {
	w := s.where()
	w.Name, w.Object = cmd.name, cmd.object()
	return w
}

// submit sends a command until the server has taken it once.
func (s *Session) submit(ctx context.Context, cmd command, body json.RawMessage) (commandJSON, error) {
	w := s.whereOf(cmd)
	pauses := s.c.pauses()
	for try := 1; ; {
		after := s.lastCommand()
		if hook := edr.ContextTrace(ctx).Submitting; hook != nil {
			if err := hook(ctx, cmd.name, w.Object, s.id, after); err != nil {
				return commandJSON{}, err
			}
		}
		got, f := s.post(ctx, cmd, body, w)
		switch {
		case f == nil:
			return got, nil
		case f.err.Status == http.StatusTooManyRequests && ctx.Err() == nil:
			continue // refused without effect; the Limiter delays the next request
		case ctx.Err() != nil && cmd.changes:
			return got, ambiguous(f)
		case ctx.Err() != nil:
			return got, f.err
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
		try++
		if err := pace.Sleep(ctx, pauses.NextBackOff()); err != nil {
			return got, liveresponse.Unanswered(w, err)
		}
	}
}

// post sends the command once. An answer must be about it, with an id.
func (s *Session) post(ctx context.Context, cmd command, body json.RawMessage, w edr.Where) (commandJSON, *failure) {
	var got struct {
		commandJSON
		ID *number `json:"id"` // 0 is an id, none is not
	}
	f := s.c.once(ctx, call{method: http.MethodPost, path: s.c.sessions(s.id, "commands"), body: body, out: &got, where: w})
	if f == nil && (got.ID == nil || got.name() != cmd.name) {
		return got.commandJSON, &failure{
			err:      &Error{Where: w, Kind: edr.ErrServer, Reason: fmt.Sprintf("answer is about command %.40q", got.name())},
			delivery: answered, passing: true,
		}
	}
	if f == nil {
		got.commandJSON.ID = *got.ID
		s.note(int64(*got.ID))
		s.mu.Lock()
		s.sent++
		s.used = time.Now()
		s.mu.Unlock()
	}
	return got.commandJSON, f
}

// lookup searches the session's list for a command whose request got no usable
// answer. sure is true when it is certainly not there: the server has dealt with the
// request and lists no such command. A lost request may yet arrive, so that its
// absence never becomes certain; it is looked for until Config.Settle is over.
func (s *Session) lookup(ctx context.Context, cmd command, after int64, f *failure) (found *commandJSON, sure bool) {
	until := time.Now().Add(s.c.cfg.Settle)
	for wait := s.c.cfg.Settle / 10; ; wait *= 2 {
		all, err := s.c.commandList(ctx, s.id, s.whereOf(cmd))
		if err != nil {
			return nil, false
		}
		for _, got := range all {
			s.note(int64(got.ID))
			if int64(got.ID) > after && got.name() == cmd.name && got.object() == cmd.object() {
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

// finish waits for the end of a command that the server has taken, and keeps the
// session alive meanwhile.
func (s *Session) finish(ctx context.Context, cmd command, id int64) (commandJSON, error) {
	w := s.whereOf(cmd)
	w.Command = &id
	kept, stop := s.keep(ctx)
	defer stop()
	done, err := s.watch(kept, cmd, id, w)
	if err == nil || !errors.Is(err, edr.ErrSessionGone) || ctx.Err() != nil {
		return done, liveresponse.At(err, w)
	}
	// Whether a closed session's commands can be read is undocumented: try.
	if last, lastErr := s.look(ctx, id, w); lastErr == nil && last.status().Done() {
		return last, nil
	}
	if cmd.changes {
		err = &Error{Where: w, Kind: edr.ErrAmbiguous, Cause: err}
	}
	return done, liveresponse.At(err, w)
}

// watch looks at a command until it has ended, by default after 0.5 s, 1 s, 2 s, 4 s
// and then each 5 s.
func (s *Session) watch(ctx context.Context, cmd command, id int64, w edr.Where) (commandJSON, error) {
	most := cmd.poll
	if most == 0 {
		most = maxPoll
	}
	for wait := s.c.cfg.Poll; ; wait = min(2*wait, most*s.c.cfg.Poll) {
		if err := pace.Sleep(ctx, wait); err != nil {
			return commandJSON{}, liveresponse.Unanswered(w, err)
		}
		got, err := s.look(ctx, id, w)
		if err != nil {
			return got, err
		}
		if cmd.progress != nil {
			cmd.progress(got)
		}
		if got.status().Done() {
			return got, nil
		}
	}
}

// verdict turns the end of a command into an error.
func (s *Session) verdict(cmd command, done commandJSON) error {
	w := s.whereOf(cmd)
	id := int64(done.ID)
	w.Command = &id
	switch {
	case done.status() == edr.CommandCancelled:
		return &Error{Where: w, Kind: edr.ErrCancelled}
	case done.status() == edr.CommandError || uint32(done.Code) != 0:
		return liveresponse.NewError(w, uint32(done.Code), string(done.Type), string(done.Desc), s.os)
	}
	return nil
}
