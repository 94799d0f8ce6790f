// Package apiclient calls the HTTP API of a running service.
package apiclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client calls the API at one address.
type Client struct {
	Server string // http://host:port
	Token  string
	HTTP   *http.Client // nil: http.DefaultClient
}

// Error is what the service answered to a call that it did not carry out.
type Error struct {
	Status  int
	Message string
	Hint    string // what to do next; may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s (HTTP %d)", e.Message, e.Status)
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	return text
}

// hints are the cures for a status.
var hints = map[int]string{
	http.StatusUnauthorized: "give a token with --token-file or $EDRPIPE_TOKEN; an admin makes one with `pipeline users add NAME`",
	http.StatusForbidden:    "ask an admin to do it, or for another role: `pipeline users add NAME --role ROLE`",
	http.StatusConflict:     "see how it stands: `pipeline jobs show JOB`",
	http.StatusNotFound:     "see what there is: `pipeline jobs list`, `pipeline silence list`, `pipeline artifacts list`",
}

// Get reads path into out.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// Post sends in; out may be nil.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPost, path, in, out)
}

// Delete removes what is at path.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

// Download streams a collected file and returns its expected SHA-256; the caller closes
// it.
func (c *Client) Download(ctx context.Context, id string) (io.ReadCloser, string, error) {
	res, err := c.do(ctx, http.MethodGet, "artifacts/"+url.PathEscape(id), nil)
	if err != nil {
		return nil, "", err
	}
	return res.Body, res.Header.Get("X-SHA256"), nil
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	res, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("what answers at %s is not this version of edrpipe: %w", c.Server, err)
	}
	return nil
}

// do sends a request; the answer of one that was carried out is the caller's to close.
func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Server, "/")+"/api/v1/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", c.Server, err)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("no service answers: %w\nstart one with `pipeline run`, or name another with --url, $EDRPIPE_URL or a configuration (-c)", err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }() // only read from
	return nil, refusal(res)
}

func refusal(res *http.Response) error {
	var answer struct{ Error string }
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil || json.Unmarshal(text, &answer) != nil || answer.Error == "" {
		answer.Error = "the answer is not edrpipe's: " + res.Status
	}
	return &Error{Status: res.StatusCode, Message: answer.Error, Hint: hints[res.StatusCode]}
}

// Notice is one message of the bus.
type Notice struct {
	Subject string          `json:"subject"`
	Event   json.RawMessage `json:"event"`
}

// Watch calls see with every notice until ctx ends, see returns false, or the
// connection does not hold.
func (c *Client) Watch(ctx context.Context, see func(Notice) bool) error {
	res, err := c.do(ctx, http.MethodGet, "stream", nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var n Notice
		if err := json.Unmarshal([]byte(data), &n); err != nil {
			return fmt.Errorf("notice of the service: %w", err)
		}
		if !see(n) {
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errors.New("the service ended the connection; run the command again"), lines.Err())
}
