package lr

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

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Routes, see the protocol page.
const (
	sensorPath  = "/api/v1/sensor"
	sessionPath = "/api/v1/cblr/session"
	banPath     = "/api/v1/banning/blacklist"
)

// maxAnswer bounds a JSON answer, in bytes. A directory with 100,000 entries
// takes about 30 MB.
const maxAnswer = 256 << 20

// call is one exchange of JSON.
type call struct {
	method string
	path   string
	query  url.Values
	body   any // sent as JSON; nil: no body
	out    any // decoded from JSON; left alone by an empty answer
	where  edr.Where
	repeat bool          // may be sent again after a passing fault
	limit  time.Duration // instead of Config.RequestTimeout; 0: that
	length int64         // of a streamed body, in bytes; 0 or less: not known
}

// delivery is how far a failed request came. It decides what may be done next.
type delivery int

const (
	unsent   delivery = iota // no byte left: may be sent again
	lost                     // sent without an answer: it may still arrive
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

// do performs a call, repeating it after passing faults if it may.
func (c *Client) do(ctx context.Context, r call) error {
	tries := uint(1)
	if r.repeat {
		tries = uint(c.cfg.Tries)
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		f := c.once(ctx, r)
		switch {
		case f == nil:
			return struct{}{}, nil
		case !f.passing || ctx.Err() != nil:
			return struct{}{}, backoff.Permanent(f)
		}
		return struct{}{}, f
	}, backoff.WithBackOff(c.pauses()), backoff.WithMaxTries(tries), backoff.WithMaxElapsedTime(0))
	return plain(err, r.where)
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
	b.MaxInterval = 25 * c.cfg.Backoff
	return b
}

// once sends a call a single time.
func (c *Client) once(ctx context.Context, r call) *failure {
	limit := r.limit
	if limit == 0 {
		limit = c.cfg.RequestTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return &failure{err: &Error{Where: r.where, Cause: err}}
		}
		body = bytes.NewReader(b)
	}
	resp, f := c.send(ctx, r, body, func(h http.Header) {
		if body != nil {
			h.Set("Content-Type", "application/json")
		}
		h.Set("Accept", "application/json")
	})
	if f != nil {
		return f
	}
	defer resp.Body.Close()
	return c.decode(resp, r)
}

// send sends a request and returns a successful answer with its body open.
func (c *Client) send(ctx context.Context, r call, body io.Reader, header func(http.Header)) (*http.Response, *failure) {
	r.where.Request = r.method + " " + r.path
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var reached atomic.Int32
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders:         func() { reached.Store(int32(lost)) },
		GotFirstResponseByte: func() { reached.Store(int32(answered)) },
	})
	req, err := http.NewRequestWithContext(traced, r.method, target, body)
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
		return nil, c.noAnswer(ctx, r.where, delivery(reached.Load()), err)
	}
	c.cfg.Log.Debug().Str("request", r.where.Request).Dur("took", time.Since(start)).Int("status", resp.StatusCode).Msg("answer")
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refused(resp, r)
}

func (c *Client) noAnswer(ctx context.Context, w edr.Where, reached delivery, err error) *failure {
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
	reason := reasonIn(b)
	if at := resp.Header.Get("Location"); at != "" && resp.StatusCode < 400 {
		reason = "redirected to " + at + "; configure that URL"
	}
	reason = liveresponse.Clean(reason, c.access.Load().token)
	r.where.Request = r.method + " " + r.path
	f := &failure{
		err:      &Error{Where: r.where, Status: resp.StatusCode, Reason: reason, Kind: kindOf(resp.StatusCode, reason, r.path)},
		delivery: answered,
	}
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable:
		f.passing = true
	case http.StatusGatewayTimeout: // the proxy gave up; the server behind it may still be at it
		f.passing, f.delivery, f.err.Kind = true, lost, edr.ErrServer
	case http.StatusTooManyRequests:
		f.passing = f.err.Kind != edr.ErrSessionLimit
	}
	return f
}

// reasonIn finds the message in an error's body: JSON of several shapes, or text.
func reasonIn(b []byte) string {
	var j struct {
		ErrorMessage text `json:"errorMessage"`
		Reason       text `json:"reason"`
		Message      text `json:"message"`
		Error        text `json:"error"`
	}
	if json.Unmarshal(b, &j) == nil {
		for _, s := range []text{j.ErrorMessage, j.Reason, j.Message, j.Error} {
			if s != "" {
				return string(s)
			}
		}
	}
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(b)
}

// decode reads a successful answer into r.out.
func (c *Client) decode(resp *http.Response, r call) *failure {
	r.where.Request = r.method + " " + r.path
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		return &failure{err: &Error{Where: r.where, Status: resp.StatusCode, Kind: edr.ErrServer, Reason: fmt.Sprintf("answer is larger than %d bytes", maxAnswer)}, delivery: answered}
	}
	if err != nil {
		if cause := context.Cause(resp.Request.Context()); cause != nil {
			err = cause
		}
		return &failure{err: liveresponse.Unanswered(r.where, err), delivery: answered, passing: true}
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	if msg := errorMessage(b); msg != "" {
		return &failure{err: &Error{Where: r.where, Status: resp.StatusCode, Kind: edr.ErrServer, Reason: liveresponse.Clean(msg, c.access.Load().token)}, delivery: answered, passing: true}
	}
	if r.out == nil {
		return nil
	}
	if err := json.Unmarshal(b, r.out); err != nil {
		return &failure{err: &Error{Where: r.where, Status: resp.StatusCode, Kind: edr.ErrServer, Cause: fmt.Errorf("answer of %d bytes: %w", len(b), err)}, delivery: answered, passing: true}
	}
	return nil
}

// errorMessage finds the error that some routes report with status 200.
func errorMessage(b []byte) string {
	if !bytes.Contains(b, []byte(`"errorMessage"`)) {
		return ""
	}
	var j struct {
		ErrorMessage text `json:"errorMessage"`
	}
	if json.Unmarshal(b, &j) != nil {
		return ""
	}
	return string(j.ErrorMessage)
}
