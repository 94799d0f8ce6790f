package lr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"edrpipe/pkg/edr"
)

const (
	// licenceGrace is how long after the end of its licence a server goes on with Live
	// Response and new bans, by the vendor's knowledge base (article 287649).
	licenceGrace = 30 * 24 * time.Hour
	// licenceFresh is how long an answer about the licence is used.
	licenceFresh = 10 * time.Minute
	// licenceLapsed is the same for a licence that is over: a new one ends a wait.
	licenceLapsed = 30 * time.Second
)

// Licence is what a server says of its licence.
type Licence struct {
	Valid   bool      // issued for this server; it may have expired
	Expired bool      // its end has passed
	Ends    time.Time // day of its end, UTC; zero: the server does not say
}

// Stops is when Live Response and new bans stop; zero: that is not known.
func (l Licence) Stops() time.Time {
	if l.Ends.IsZero() {
		return time.Time{}
	}
	return l.Ends.Add(licenceGrace)
}

// Check is edr.ErrLicence for a licence that has ended, edr.ErrLicenceEnding within the
// time that the server goes on nevertheless.
func (l Licence) Check(now time.Time) error {
	switch {
	case !l.Expired:
		return nil
	case l.Ends.IsZero():
		return fmt.Errorf("%w, the server does not say when; Live Response and new bans stop 30 days later", edr.ErrLicenceEnding)
	case now.Before(l.Stops()):
		return fmt.Errorf("%w: it ended on %s, and Live Response and new bans stop on %s", edr.ErrLicenceEnding, l.Ends.Format(time.DateOnly), l.Stops().Format(time.DateOnly))
	}
	return fmt.Errorf("%w: it ended on %s, and Live Response and new bans stopped on %s", edr.ErrLicence, l.Ends.Format(time.DateOnly), l.Stops().Format(time.DateOnly))
}

// Licence reads the state of the server's licence. ErrNotFound, or
// edr.ErrUnauthorized: the server does not tell this token.
func (c *Client) Licence(ctx context.Context) (Licence, error) {
	var got licenceJSON
	if err := c.do(ctx, call{method: http.MethodGet, path: "/api/v1/license", out: &got, repeat: true}); err != nil {
		return Licence{}, err
	}
	return got.licence(), nil
}

// licenceJSON is what we read of a licence. Its end is a day.
type licenceJSON struct {
	Valid   flag `json:"license_valid"`
	Expired flag `json:"license_expired"`
	Ends    text `json:"license_end_date"`
}

func (j licenceJSON) licence() Licence {
	l := Licence{Valid: bool(j.Valid), Expired: bool(j.Expired)}
	if day, err := time.Parse(time.DateOnly, string(j.Ends)); err == nil {
		l.Ends = day
	}
	return l
}

// licence is what was last read of it.
type licence struct {
	mu   sync.Mutex
	err  error // of Licence.Check
	next time.Time
}

// licensed returns the error of the server's licence, by an answer that may be some
// minutes old. What cannot be read is no error: a server need not say.
func (c *Client) licensed(ctx context.Context) error {
	c.licence.mu.Lock()
	defer c.licence.mu.Unlock()
	now := time.Now()
	if now.Before(c.licence.next) {
		return c.licence.err
	}
	l, err := c.Licence(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // not read: the next one asks
	case err != nil:
		c.licence.err = nil
	default:
		c.licence.err = l.Check(now)
	}
	c.licence.next = now.Add(licenceFresh)
	if c.licence.err != nil {
		c.licence.next = now.Add(licenceLapsed)
	}
	return c.licence.err
}

// whyRefused replaces the error of a refused session by edr.ErrLicence where the
// licence has ended: what a server answers then is not documented.
func (c *Client) whyRefused(ctx context.Context, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Status < 400 || errors.Is(err, edr.ErrTokenRefused) || errors.Is(err, edr.ErrAmbiguous) {
		return err
	}
	if lapsed := c.licensed(ctx); errors.Is(lapsed, edr.ErrLicence) {
		return &Error{Where: e.Where, Status: e.Status, Kind: edr.ErrLicence, Reason: e.Reason, Cause: lapsed}
	}
	return err
}

// Probe reports whether the server works: edr.ErrLicence and edr.ErrLicenceEnding where
// it answers, and its licence has ended.
func (c *Client) Probe(ctx context.Context) error {
	if _, err := c.Sessions(ctx); err != nil {
		return c.whyRefused(ctx, err)
	}
	return c.licensed(ctx)
}
