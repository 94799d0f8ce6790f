package actions

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"edrpipe/internal/pace"
)

// HTTPParams are the parameters of http. Event text may fill the query, further path
// segments, headers and the body; only the rule decides the destination.
type HTTPParams struct {
	URL        string            `json:"url" required:"true" literal:"true" doc:"http or https address"`
	Method     string            `json:"method" default:"POST" oneof:"GET,HEAD,POST,PUT,PATCH,DELETE" literal:"true" doc:"request method"`
	Segments   []string          `json:"segments" doc:"further segments of the path, escaped"`
	Query      map[string]string `json:"query" doc:"query parameters, escaped"`
	Headers    map[string]string `json:"headers" doc:"request headers"`
	Secrets    map[string]string `json:"secrets" literal:"true" names:"secret" doc:"request headers whose values are secrets, by the secret's name"`
	Sign       string            `json:"sign" literal:"true" names:"secret" doc:"name of the secret to sign the body with: headers webhook-id, webhook-timestamp, webhook-signature"`
	Body       any               `json:"body" doc:"any value; becomes JSON"`
	Timeout    Duration          `json:"timeout" default:"10s" doc:"for each attempt"`
	Retries    int               `json:"retries" default:"3" doc:"further attempts where the request surely was not acted on"`
	Idempotent bool              `json:"idempotent" doc:"the receiver knows a repeated webhook-id: retry after a time-out or a server error too"`
}

// Validate checks the address.
func (p HTTPParams) Validate() error {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("url %q is not an http or https address", shorten(p.URL))
	}
	for name, value := range p.Headers {
		if strings.ContainsAny(name+value, "\r\n") {
			return fmt.Errorf("header %q contains a line break", shorten(name))
		}
	}
	return nil
}

// HTTPOutput is the output of http.
type HTTPOutput struct {
	Status    int    `json:"status"`
	Body      any    `json:"body" doc:"the reply, decoded where it is JSON; of more than 256 KiB its first 64 KiB as text"`
	Attempts  int    `json:"attempts"`
	Truncated bool   `json:"truncated" doc:"body is not the whole reply"`
	ID        string `json:"id" doc:"the webhook-id that was sent: the same for each attempt"`

	Artifact Artifact `json:"artifact,omitzero" doc:"the reply where it is too large for body, at most 16 MiB of it"`
}

var _ = Register(Definition[HTTPParams, HTTPOutput]{
	Is: Spec{
		Name:    "http",
		Summary: "Send an HTTP request: a webhook, a ticket, an address for the firewall",
		Class:   Once,
	},
	Do: func(ctx context.Context, t *Task, p HTTPParams) (HTTPOutput, error) { return t.request(ctx, p) },
})

const (
	maxBody    = 256 << 10 // bytes of a reply that the job's record takes
	maxExcerpt = 64 << 10  // bytes of a larger one
	maxReply   = 16 << 20  // bytes of a larger one that become an artifact
	maxBackoff = 30 * time.Second
)

// request sends p until it is answered or must not be repeated.
func (t *Task) request(ctx context.Context, p HTTPParams) (HTTPOutput, error) {
	body, err := json.Marshal(p.Body)
	if err != nil {
		return HTTPOutput{}, fmt.Errorf("body: %w", err)
	}
	out := HTTPOutput{ID: t.Job.ID + "/" + t.Job.Step}
	for {
		out.Attempts++
		pause, err := t.attempt(ctx, p, body, &out)
		if err == nil {
			return out, nil
		}
		if pause < 0 || out.Attempts > p.Retries {
			return out, err
		}
		if pause == 0 {
			pause = min(time.Second<<(out.Attempts-1), maxBackoff)
		}
		t.Log.Debug().Err(err).Dur("pause", pause).Msg("request is tried again")
		if err := pace.Sleep(ctx, pause); err != nil {
			return out, err
		}
	}
}

// attempt sends the request once. With an error it returns the delay before the next
// attempt; less than zero: do not retry.
func (t *Task) attempt(ctx context.Context, p HTTPParams, body []byte, out *HTTPOutput) (pause time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.Timeout))
	defer cancel()
	req, err := t.newRequest(ctx, p, body, out.ID)
	if err != nil {
		return -1, err
	}
	client := http.Client{}
	if t.HTTP != nil {
		client = *t.HTTP
	}
	// A redirect would take the body and its signature to another place.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		if p.repeatable() || neverSent(err) {
			return 0, redact(err)
		}
		return -1, redact(err)
	}
	defer resp.Body.Close()
	start, err := out.read(resp)
	if err != nil && p.repeatable() {
		return 0, fmt.Errorf("%s %s: read the reply: %w", p.Method, hostOf(p.URL), redact(err))
	}
	if resp.StatusCode < 300 {
		t.keepReply(ctx, p, start, resp.Body, out)
		return 0, nil
	}
	err = fmt.Errorf("%s %s: status %s", p.Method, hostOf(p.URL), resp.Status)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return min(time.Duration(max(seconds, 0))*time.Second, maxBackoff), err
	case resp.StatusCode >= 500 && p.repeatable():
		return 0, err
	}
	return -1, err
}

// repeatable reports whether sending the request twice does no harm.
func (p HTTPParams) repeatable() bool {
	return p.Idempotent || slices.Contains([]string{"GET", "HEAD", "PUT", "DELETE"}, p.Method)
}

func (t *Task) newRequest(ctx context.Context, p HTTPParams, body []byte, id string) (*http.Request, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, errors.New("url is not an address") // it may hold a secret
	}
	for _, segment := range p.Segments {
		if segment == "." || segment == ".." || segment == "" {
			return nil, fmt.Errorf("segment %q is not one step down the path", segment)
		}
		u = u.JoinPath(url.PathEscape(segment))
	}
	q := u.Query()
	for name, value := range p.Query {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	var payload io.Reader
	if p.Body != nil {
		payload = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, p.Method, u.String(), payload)
	if err != nil {
		return nil, redact(err)
	}
	if p.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range p.Headers {
		req.Header.Set(name, value)
	}
	for name, secret := range p.Secrets {
		value, err := t.secret(secret, u.Hostname())
		if err != nil {
			return nil, err
		}
		req.Header.Set(name, value)
	}
	return req, t.sign(req, p.Sign, id, body)
}

// sign adds the headers of the Standard Webhooks scheme: HMAC-SHA256 over id,
// time and body. The id stays the same over attempts, so that a receiver can
// drop what it has.
func (t *Task) sign(req *http.Request, secret, id string, body []byte) error {
	req.Header.Set("webhook-id", id)
	if secret == "" {
		return nil
	}
	key, err := t.secret(secret, req.URL.Hostname())
	if err != nil {
		return err
	}
	at := strconv.FormatInt(t.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	req.Header.Set("webhook-timestamp", at)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

// neverSent reports whether err is that of a connection that was not established.
func neverSent(err error) bool {
	var op interface{ Timeout() bool }
	return strings.Contains(err.Error(), "dial ") && !(errors.As(err, &op) && op.Timeout() && errors.Is(err, context.DeadlineExceeded))
}

// redact takes the address out of an HTTP client's error: it may hold a secret.
func redact(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return fmt.Errorf("%s %s: %w", strings.ToUpper(ue.Op), hostOf(ue.URL), ue.Err)
	}
	return err
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(address)"
	}
	return u.Host
}
