package liveresponse

import (
	"crypto/tls"
	"sync/atomic"
	"time"
)

// Expiry notes when the certificate of a server ends. The zero value is ready.
type Expiry struct{ end atomic.Pointer[time.Time] }

// CertificateEnds is the end of the certificate that the server showed last; the zero time
// before the first connection, without TLS, and where its dates are not checked.
func (e *Expiry) CertificateEnds() time.Time {
	if end := e.end.Load(); end != nil {
		return *end
	}
	return time.Time{}
}

// Watch has the connections made by conf note the certificate, where they check its dates.
func (e *Expiry) Watch(conf *tls.Config) {
	e.end.Store(nil)
	if conf.InsecureSkipVerify {
		return
	}
	conf.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) > 0 {
			e.end.Store(&cs.PeerCertificates[0].NotAfter)
		}
		return nil
	}
}
