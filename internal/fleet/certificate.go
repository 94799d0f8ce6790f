package fleet

import (
	"fmt"
	"time"

	"edrpipe/internal/health"
	"edrpipe/pkg/edr"
)

// certificateEnds is a server that works, and soon will not.
type certificateEnds struct {
	end  time.Time
	days int
}

func (c *certificateEnds) Error() string {
	return fmt.Sprintf("its certificate expires in %d days, on %s", c.days, c.end.UTC().Format(time.DateOnly))
}

// certificate returns a *certificateEnds where the server's certificate ends soon.
func (m *Member) certificate(now time.Time) error {
	c, ok := m.EDR.(edr.Certified)
	if !ok || c.CertificateEnds().IsZero() {
		return nil
	}
	left := c.CertificateEnds().Sub(now)
	if left >= health.CertificateSoon {
		return nil
	}
	return &certificateEnds{c.CertificateEnds(), int(left / (24 * time.Hour))}
}
