package listsource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
)

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
