package edr

import "time"

// A Certified is a Server that knows when the certificate that it shows ends.
type Certified interface {
	// CertificateEnds is the zero time where there is none, where its dates do not count,
	// and before the first connection.
	CertificateEnds() time.Time
}
