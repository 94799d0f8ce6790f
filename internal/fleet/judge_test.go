package fleet

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"edrpipe/internal/health"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// TestJudge: each refusal has its own word, and the cure is the one for it.
func TestJudge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err   error
		want  Trouble
		state health.State
		cure  string
	}{
		"a token that is not known": {fmt.Errorf("GET: %w", edr.ErrTokenRefused), Unauthorized, health.Failed, "valid API token"},
		"a token without rights":    {fmt.Errorf("GET: %w", edr.ErrUnauthorized), Forbidden, health.Failed, "right to Live Response"},
		"Live Response is off":      {fmt.Errorf("GET: %w", edr.ErrDisabled), LiveDisabled, health.Degraded, "turn Live Response on"},
		"another authority":         {fmt.Errorf("GET: %w", x509.UnknownAuthorityError{}), Certificate, health.Failed, "valid certificate"},
		"no answer":                 {edr.ErrTimeout, NoAnswer, health.Failed, "load of the server"},
		"the connection ends":       {io.EOF, Unreachable, health.Failed, "firewall"},
		"anything else":             {errors.New("HTTP 500"), ServerError, health.Failed, "log of the server"},
	} {
		got := judge(tc.err)
		if got.Trouble != tc.want || got.State != tc.state || !strings.Contains(got.Cure, tc.cure) || got.Evidence != tc.err.Error() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestRefusing: sessions of other clients are named before the server has refused one.
func TestRefusing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stats jobs.Stats
		want  string
	}{
		"some are left":          {jobs.Stats{Limit: 3, Foreign: 2}, ""},
		"others have all":        {jobs.Stats{Limit: 3, Foreign: 3}, "other clients hold 3 sessions, and 3 are for all"},
		"refused":                {jobs.Stats{Limit: 3, Refusing: "HTTP 500"}, "the server refuses sessions: HTTP 500"},
		"refused, others have 2": {jobs.Stats{Limit: 3, Foreign: 2, Refusing: "limit"}, "other clients hold 2 sessions, and 3 are for all; the server refuses sessions: limit"},
	} {
		if got := refusing(tc.stats); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
