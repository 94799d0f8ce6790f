package outputs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// sendWithin bounds one attempt.
const sendWithin = 30 * time.Second

// HTTP posts each batch as a JSON array.
type HTTP struct {
	URL    string
	Token  func() (string, error) // read before each post, so that a new one is taken; nil: none
	Type   string                 // of the content
	Client *http.Client
}

// Send implements Sink. A status of 400, 413, 415 or 422 is a refusal.
func (h HTTP) Send(ctx context.Context, batch []Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(array(batch)))
	if err != nil {
		return fmt.Errorf("the address is not a URL: %w", err)
	}
	req.Header.Set("Content-Type", h.Type)
	if h.Token != nil {
		token, err := h.Token()
		if err != nil {
			return fmt.Errorf("the token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := h.Client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 512))
	switch res.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %s %q", ErrRefused, res.Status, answer)
	}
	return fmt.Errorf("%s answered %s", req.URL.Host, res.Status)
}

// Close implements Sink.
func (h HTTP) Close() error { h.Client.CloseIdleConnections(); return nil }

// array joins the bodies to a JSON array.
func array(batch []Message) []byte {
	body := []byte{'['}
	for i, m := range batch {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, m.Body...)
	}
	return append(body, ']')
}

// lines joins the bodies to lines.
func lines(batch []Message) []byte {
	var body []byte
	for _, m := range batch {
		body = append(append(body, m.Body...), '\n')
	}
	return body
}
