package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/web"
	"edrpipe/pkg/events/jetstream"
)

func (c *Console) deadRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/dead", web.Viewer, "Input that could not be used, newest first", func(r *http.Request, _ struct{}) (web.DeadPage, error) {
			n, err := web.Limit(r, "limit")
			if err != nil {
				return web.DeadPage{}, err
			}
			before, err := web.Number(r, "before", 0)
			if err != nil {
				return web.DeadPage{}, err
			}
			return c.Dead(r.Context(), web.DeadQuery{Reason: r.URL.Query().Get("reason"), Before: uint64(before), Limit: n})
		}, "reason", "before", "limit"),
		web.JSON("GET", "/api/v1/dead/{seq}", web.Viewer, "One of them with its body", func(r *http.Request, _ struct{}) (web.DeadLetter, error) {
			seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
			if err != nil {
				return web.DeadLetter{}, errors.Join(web.ErrBadRequest, fmt.Errorf("%q is not a number of the list", r.PathValue("seq")))
			}
			return c.DeadLetter(r.Context(), seq)
		}),
		web.JSON("POST", "/api/v1/dead/replay", web.Admin, "Put them back where they arrived", func(r *http.Request, in web.DeadChoice) (web.DeadDone, error) {
			return c.ReplayDead(r.Context(), web.UserOf(r.Context()), in)
		}),
		web.JSON("POST", "/api/v1/dead/purge", web.Admin, "Remove them for good", func(r *http.Request, in web.DeadChoice) (web.DeadDone, error) {
			return c.PurgeDead(r.Context(), web.UserOf(r.Context()), in)
		}),
	}
}

func (c *Console) deadLetters() *jetstream.DeadLetters {
	return &jetstream.DeadLetters{JetStream: c.Bus.JetStream(), Ingest: c.Ingest.JetStream()}
}

// Dead lists the newest dead letters that a query selects.
func (c *Console) Dead(ctx context.Context, q web.DeadQuery) (web.DeadPage, error) {
	page := web.DeadPage{Reasons: map[string]int{}, Letters: []web.DeadLetter{}}
	err := c.deadLetters().List(ctx, "", func(d jetstream.Dead) error {
		page.Reasons[d.Reason]++
		if q.Reason != "" && d.Reason != q.Reason || q.Before > 0 && d.Sequence >= q.Before {
			return nil
		}
		page.Total++
		page.Letters = append(page.Letters, deadLetter(d))
		if len(page.Letters) > 2*q.Limit {
			page.Letters = slices.Clone(page.Letters[len(page.Letters)-q.Limit:])
		}
		return nil
	})
	page.Letters = page.Letters[max(0, len(page.Letters)-q.Limit):]
	slices.Reverse(page.Letters)
	return page, err
}

// deadLetter is a dead letter without its body.
func deadLetter(d jetstream.Dead) web.DeadLetter {
	return web.DeadLetter{
		Sequence: d.Sequence, Time: d.Time, Reason: d.Reason, Error: d.Error, Origin: d.Origin, Bytes: d.Size, Cut: d.Size > len(d.Message.Body),
		Exchange: d.Message.Exchange, RoutingKey: d.Message.RoutingKey, ContentType: d.Message.ContentType, Headers: d.Message.Headers,
	}
}

// DeadLetter returns one with its body.
func (c *Console) DeadLetter(ctx context.Context, seq uint64) (web.DeadLetter, error) {
	d, err := c.deadLetters().Get(ctx, seq)
	if err != nil {
		return web.DeadLetter{}, deadError(err)
	}
	l := deadLetter(d)
	l.Body = d.Message.Body
	return l, nil
}

// deadError says whose fault an error is.
func deadError(err error) error {
	switch {
	case errors.Is(err, natsjs.ErrMsgNotFound):
		return errors.Join(web.ErrNotFound, err)
	case errors.Is(err, jetstream.ErrCut):
		return errors.Join(web.ErrBadRequest, err)
	}
	return err
}

// ReplayDead puts those chosen back among the events. One that cannot be put back is
// reported, and the others are. It is in the audit log before.
func (c *Console) ReplayDead(ctx context.Context, by web.User, in web.DeadChoice) (web.DeadDone, error) {
	text, err := in.Check(true)
	if err != nil {
		return web.DeadDone{}, errors.Join(web.ErrBadRequest, err)
	}
	if err := c.note(ctx, by, "replay dead letters "+text, "", in.Why); err != nil {
		return web.DeadDone{}, err
	}
	letters := c.deadLetters()
	var done web.DeadDone
	one := func(d jetstream.Dead, err error) error {
		if err == nil {
			err = letters.Replay(ctx, d)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			done.Failed = append(done.Failed, err.Error())
			return nil
		}
		done.Done++
		return nil
	}
	for _, seq := range in.Sequences {
		if err := one(letters.Get(ctx, seq)); err != nil {
			return done, err
		}
	}
	if len(in.Sequences) > 0 {
		return done, nil
	}
	return done, letters.List(ctx, in.Reason, func(d jetstream.Dead) error { return one(d, nil) })
}

// PurgeDead removes those of a reason, or all. It is in the audit log before.
func (c *Console) PurgeDead(ctx context.Context, by web.User, in web.DeadChoice) (web.DeadDone, error) {
	text, err := in.Check(false)
	if err != nil {
		return web.DeadDone{}, errors.Join(web.ErrBadRequest, err)
	}
	if err := c.note(ctx, by, "purge dead letters "+text, "", in.Why); err != nil {
		return web.DeadDone{}, err
	}
	n, err := c.deadLetters().Purge(ctx, in.Reason)
	return web.DeadDone{Done: int(n)}, err
}
