package listsource

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxChecksum bounds the file with the digest, in bytes.
const maxChecksum = 64 << 10

// answer is what a server said. Body is nil where the list has not changed.
type answer struct {
	body           []byte
	etag, modified string
}

// fetch asks for the list, unless it is the one that is kept already.
func (s *Source) fetch(ctx context.Context, have kept) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	header := conditions(have)
	conditional := len(header) > 0
	body, res, err := s.get(ctx, s.c.URL, header, s.c.MaxBytes)
	if err == nil && conditional && refusesConditions(res.StatusCode) {
		conditional = false
		body, res, err = s.get(ctx, s.c.URL, http.Header{}, s.c.MaxBytes)
	}
	switch {
	case err != nil:
		return answer{}, err
	case res.StatusCode == http.StatusNotModified && conditional:
		return answer{}, nil
	case res.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("%w: status %d", ErrUnreachable, res.StatusCode)
	}
	if isPage(res.Header.Get("Content-Type")) { // of a proxy, or one that asks who is there
		return answer{}, fmt.Errorf("%w: it is a web page", ErrFormat)
	}
	if err := s.compare(ctx, body); err != nil {
		return answer{}, err
	}
	return answer{body: body, etag: short(res.Header.Get("ETag")), modified: short(res.Header.Get("Last-Modified"))}, nil
}

// maxCondition bounds what is sent back as a condition: a server that gave a longer one
// might refuse every request with it as too large.
const maxCondition = 1 << 10

func short(value string) string {
	if len(value) > maxCondition {
		return ""
	}
	return value
}

// conditions are the headers that ask for a list only if it is another one.
func conditions(have kept) http.Header {
	header := http.Header{}
	if have.ETag != "" {
		header.Set("If-None-Match", have.ETag)
	}
	if have.Modified != "" {
		header.Set("If-Modified-Since", have.Modified)
	}
	return header
}

// refusesConditions reports a status that may be due to the conditions of a request. One
// that says how often to ask is not.
func refusesConditions(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests
}

// isPage reports whether a Content-Type is that of a web page.
func isPage(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "text/html", "application/xhtml+xml":
		return true
	}
	return false
}

// get reads an answer whole, or not at all. A body is never nil.
func (s *Source) get(ctx context.Context, address string, header http.Header, most int64) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	req.Header = header
	if s.c.Token != nil && sameOrigin(address, s.c.URL) {
		token, err := s.c.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("%w: the token: %w", ErrUnreachable, err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer func() { _ = res.Body.Close() }() // only read from
	if res.StatusCode != http.StatusOK {
		return []byte{}, res, nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1)) // after decompression
	switch {
	case int64(len(body)) > most:
		return nil, nil, fmt.Errorf("%w: more than %d bytes from %s", ErrTooLarge, most, address)
	case err != nil:
		return nil, nil, fmt.Errorf("%w: the body ends early: %w", ErrUnreachable, err)
	}
	return body, res, nil
}
