package cbc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// maxAnswer bounds a JSON answer, in bytes: 10,000 devices take about 20 MB.
const maxAnswer = 128 << 20

// call is one exchange of JSON.
type call struct {
	method string
	path   string
	body   any // sent as JSON; nil: no body
	out    any // decoded from JSON; left alone by an empty answer
	where  edr.Where
	repeat bool // may be sent again after a passing fault
	order  urgency
	length int64 // of a streamed body, in bytes; 0 or less: not known
}

// delivery is how far a failed request came. It decides what may be done next.
type delivery int

const (
	unsent   delivery = iota // no byte left, or it was refused unread: may be sent again
	lost                     // it left and no answer came: it may yet arrive
	answered                 // the server has dealt with it, its answer is of no use
)

// failure is an Error with its delivery. It never leaves the package.
type failure struct {
	err      *Error
	delivery delivery
	passing  bool // the same request may succeed later
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// do performs a call and retries it after transient faults if the call is repeatable.
// A refusal for the rate is always retried and counts as no attempt: it had no effect,
// and the Limiter delays the next request.
func (c *Client) do(ctx context.Context, r call) error {
	pauses := c.pauses()
	for try := 1; ; {
		f := c.once(ctx, r)
		switch {
		case f == nil:
			return nil
		case f.err.Status == http.StatusTooManyRequests && ctx.Err() == nil:
			continue
		case !f.passing || !r.repeat && f.delivery != unsent || try >= c.cfg.Tries || ctx.Err() != nil:
			return plain(f, r.where)
		}
		try++
		if err := pace.Sleep(ctx, pauses.NextBackOff()); err != nil {
			return liveresponse.Unanswered(r.where, err)
		}
	}
}

// plain turns what a try returned into what callers see.
func plain(err error, w edr.Where) error {
	var f *failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f.err
	}
	return liveresponse.Unanswered(w, err)
}

func (c *Client) pauses() backoff.BackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = c.cfg.Backoff
	b.Multiplier = 2
	b.MaxInterval = 20 * c.cfg.Backoff
	return b
}

// once sends a call a single time, when the Limiter permits.
func (c *Client) once(ctx context.Context, r call) *failure {
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return &failure{err: &Error{Where: r.where, Cause: err}}
		}
		body = bytes.NewReader(b)
	}
	if f := c.turn(ctx, r); f != nil {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	resp, f := c.send(ctx, r, body, func(h http.Header) {
		if body != nil {
			h.Set("Content-Type", "application/json")
		}
		h.Set("Accept", "application/json")
	})
	if f != nil {
		c.noteAnswer(r, f)
		return f
	}
	defer resp.Body.Close()
	f = c.decode(resp, r)
	c.noteAnswer(r, f)
	return f
}

// turn blocks until a request may be sent.
func (c *Client) turn(ctx context.Context, r call) *failure {
	err := c.cfg.Limiter.wait(ctx, r.order)
	if err == nil {
		return nil
	}
	f := &failure{err: liveresponse.Unanswered(r.where, err)}
	if errors.Is(err, edr.ErrThrottled) {
		f.err = &Error{Where: r.where, Kind: edr.ErrThrottled, Reason: err.Error()}
	}
	return f
}

// send sends a request and returns a successful answer, or a redirect, with its
// body open.
func (c *Client) send(ctx context.Context, r call, body io.Reader, header func(http.Header)) (*http.Response, *failure) {
	r.where.Request = r.method + " " + r.path
	var reached atomic.Int32
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders:         func() { reached.Store(int32(lost)) },
		GotFirstResponseByte: func() { reached.Store(int32(answered)) },
	})
	req, err := http.NewRequestWithContext(traced, r.method, c.base+r.path, body)
	if err != nil {
		return nil, &failure{err: &Error{Where: r.where, Cause: err}}
	}
	if r.length > 0 {
		req.ContentLength = r.length
	}
	req.Header.Set("X-Auth-Token", c.access.Load().token)
	req.Header.Set("User-Agent", "edrpipe")
	header(req.Header)
	start := time.Now()
	resp, err := c.access.Load().http.Do(req)
	if err != nil {
		c.cfg.Log.Debug().Str("request", r.where.Request).Dur("took", time.Since(start)).Err(err).Msg("no answer")
		return nil, noAnswer(ctx, r.where, delivery(reached.Load()), err)
	}
	c.cfg.Log.Debug().Str("request", r.where.Request).Dur("took", time.Since(start)).Int("status", resp.StatusCode).Msg("answer")
	if resp.StatusCode >= 200 && resp.StatusCode < 300 || resp.StatusCode == http.StatusFound {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refused(resp, r)
}

func noAnswer(ctx context.Context, w edr.Where, reached delivery, err error) *failure {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the URL stands in Where already
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &failure{err: liveresponse.Unanswered(w, err), delivery: reached, passing: true}
}

// refused reads an answer whose status is no success.
func (c *Client) refused(resp *http.Response, r call) *failure {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	reason := liveresponse.Clean(reasonIn(b), c.access.Load().token)
	r.where.Request = r.method + " " + r.path
	f := &failure{
		err:      &Error{Where: r.where, Status: resp.StatusCode, Reason: reason, Kind: c.kindOf(resp.StatusCode, b, r)},
		delivery: answered,
	}
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		f.passing = true
	case http.StatusBadGateway, http.StatusGatewayTimeout: // the edge gave up; the server behind it may still be at it
		f.passing, f.delivery = true, lost
	case http.StatusTooManyRequests:
		f.passing, f.delivery = true, unsent
		c.holdHost(resp)
	case http.StatusForbidden:
		if f.err.Kind == edr.ErrUnauthorized {
			f.err.Reason = withPermission(reason, r)
		}
	}
	return f
}

// holdHost stops all requests to the host after a 429, until its Retry-After.
func (c *Client) holdHost(resp *http.Response) {
	wait := retryAfter(resp.Header.Get("Retry-After"), time.Now())
	c.cfg.Limiter.Pause(time.Now().Add(wait))
	c.cfg.Log.Warn().Str("server", c.cfg.Name).Dur("pause", wait).
		Msg("Carbon Black Cloud refuses requests for their rate (HTTP 429): all requests to this host wait")
}

// retryAfter reads seconds or a date; 60 s where it is neither.
func retryAfter(s string, now time.Time) time.Duration {
	const otherwise, most = time.Minute, time.Hour
	if n, err := time.ParseDuration(s + "s"); err == nil && n > 0 {
		return min(n, most)
	}
	if t, err := http.ParseTime(s); err == nil && t.After(now) {
		return min(t.Sub(now), most)
	}
	return otherwise
}

// decode reads a successful answer into r.out.
func (c *Client) decode(resp *http.Response, r call) *failure {
	r.where.Request = r.method + " " + r.path
	unusable := func(reason string, cause error) *failure {
		return &failure{err: &Error{Where: r.where, Status: resp.StatusCode, Kind: edr.ErrServer, Reason: reason, Cause: cause}, delivery: answered, passing: cause != nil}
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err == nil && len(b) > maxAnswer:
		return unusable(fmt.Sprintf("answer is larger than %d bytes", maxAnswer), nil)
	case err != nil:
		if cause := context.Cause(resp.Request.Context()); cause != nil {
			err = cause
		}
		return &failure{err: liveresponse.Unanswered(r.where, err), delivery: answered, passing: true}
	case resp.StatusCode == http.StatusFound:
		return unusable("redirected to another place", nil)
	case len(bytes.TrimSpace(b)) == 0 || r.out == nil:
		return nil
	}
	if msg := errorMessage(b); msg != "" {
		return unusable(liveresponse.Clean(msg, c.access.Load().token), errors.New("errorMessage in an answer of success"))
	}
	if err := json.Unmarshal(b, r.out); err != nil {
		return unusable("", fmt.Errorf("answer of %d bytes: %w", len(b), err))
	}
	return nil
}
