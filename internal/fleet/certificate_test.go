package fleet

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/lr"
)

// dated is a server whose certificate ends at a time.
type dated struct {
	edr.Server
	end time.Time
}

func (d dated) CertificateEnds() time.Time { return d.end }

// TestACertificateThatEndsSoon is told before it does, with the day, and stops nothing.
func TestACertificateThatEndsSoon(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		server edr.Server
		want   string
	}{
		"in 29 days":        {dated{end: now.Add(30*24*time.Hour - time.Second)}, "its certificate expires in 29 days, on 2026-12-31"},
		"in 30 days":        {dated{end: now.Add(30 * 24 * time.Hour)}, ""},
		"no dates":          {dated{}, ""},
		"never heard of it": {answering{}, ""},
	} {
		m := NewMember("hq", "", nil, tc.server, nil)
		err := m.certificate(now)
		if err == nil {
			if tc.want != "" {
				t.Errorf("%s: no word of it, want %q", name, tc.want)
			}
			continue
		}
		m.prober.note(err, now)
		s := m.prober.now()
		if s.State != health.Degraded || s.Trouble != CertEnding || s.Evidence != tc.want || !strings.Contains(s.Cure, "renew") || m.Down() != "" {
			t.Errorf("%s: %+v, down %q; want %q", name, s, m.Down(), tc.want)
		}
	}
}

// TestTheEndOfACertificateIsSeen by the client on its connections, where dates count.
func TestTheEndOfACertificateIsSeen(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	shown := server.Certificate()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shown.Raw})
	for name, tc := range map[string]struct {
		tls  lr.TLS
		want time.Time
	}{
		"by an authority": {lr.TLS{CA: authority}, shown.NotAfter},
		"pinned":          {lr.TLS{Pin: string(authority)}, time.Time{}},
		"not verified":    {lr.TLS{InsecureSkipVerify: true}, time.Time{}},
	} {
		c, err := lr.New(lr.Config{URL: server.URL, Token: "secret", TLS: tc.tls})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Sessions(t.Context()); err == nil {
			t.Errorf("%s: the server answered", name)
		}
		if got := c.CertificateEnds(); !got.Equal(tc.want) {
			t.Errorf("%s: the certificate ends %v, want %v", name, got, tc.want)
		}
		c.CloseIdle()
	}
}
