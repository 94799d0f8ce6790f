package listsource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
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
	header := http.Header{}
	if have.ETag != "" {
		header.Set("If-None-Match", have.ETag)
	}
	if have.Modified != "" {
		header.Set("If-Modified-Since", have.Modified)
	}
	conditional := len(header) > 0
	body, res, err := s.get(ctx, s.c.URL, header, s.c.MaxBytes)
	switch {
	case err != nil:
		return answer{}, err
	case res.StatusCode == http.StatusNotModified && conditional:
		return answer{}, nil
	case res.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("%w: status %d", ErrUnreachable, res.StatusCode)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") { // of a proxy, or a page that asks who is there
		return answer{}, fmt.Errorf("%w: it is a web page", ErrFormat)
	}
	if err := s.compare(ctx, body); err != nil {
		return answer{}, err
	}
	return answer{body: body, etag: res.Header.Get("ETag"), modified: res.Header.Get("Last-Modified")}, nil
}

// get reads an answer whole, or not at all. A body is never nil.
func (s *Source) get(ctx context.Context, address string, header http.Header, most int64) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	req.Header = header
	if s.c.Token != nil && sameHost(address, s.c.URL) {
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

// compare reports a body whose digest is not the published one.
func (s *Source) compare(ctx context.Context, body []byte) error {
	if s.c.ChecksumURL == "" {
		return nil
	}
	text, res, err := s.get(ctx, s.c.ChecksumURL, http.Header{}, maxChecksum)
	if err != nil {
		return fmt.Errorf("the checksum: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: the checksum: status %d", ErrUnreachable, res.StatusCode)
	}
	want := published(string(text), s.c.URL)
	sum := sha256.Sum256(body)
	if have := hex.EncodeToString(sum[:]); have != want {
		return fmt.Errorf("%w: SHA-256 is %s, published is %q", ErrDigest, have, want)
	}
	return nil
}

var digestLine = regexp.MustCompile(`^([0-9A-Fa-f]{64})(?:\s+\*?(\S+))?\s*$`)

// published returns the digest in the text that sha256sum writes: of several lines the one
// with the file's name. It is "" where there is none.
func published(text, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		m := digestLine.FindStringSubmatch(line)
		if m != nil && (len(lines) == 1 || path.Base(m[2]) == path.Base(u.Path)) {
			return strings.ToLower(m[1])
		}
	}
	return ""
}

// maxRedirects bounds how often a server may send on.
const maxRedirects = 3

// follow refuses redirects without end, and those that leave TLS.
func follow(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if !secure(req.URL) {
		return errors.New("a redirect to an address without TLS")
	}
	return nil
}

// secure reports whether an address is https, or http on loopback.
func secure(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback())
}

func sameHost(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Scheme == y.Scheme && x.Host == y.Host
}
