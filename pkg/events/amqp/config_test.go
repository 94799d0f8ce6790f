package amqp

import (
	"crypto/tls"
	"testing"
)

// TestSignIn: a client certificate is the identity only where the URL names no user.
func TestSignIn(t *testing.T) {
	t.Parallel()
	with := &tls.Config{Certificates: []tls.Certificate{{}}}
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"certificate alone":       {Config{URL: "amqps://edr:5004/", TLS: with}, "EXTERNAL"},
		"certificate and user":    {Config{URL: "amqps://cb:p@edr:5004/", TLS: with}, ""},
		"no certificate":          {Config{URL: "amqps://edr:5004/", TLS: new(tls.Config)}, ""},
		"no TLS":                  {Config{URL: "amqps://edr:5004/"}, ""},
		"certificate in clear":    {Config{URL: "amqp://edr:5004/", TLS: with}, ""},
		"user without password":   {Config{URL: "amqps://cb@edr:5004/", TLS: with}, ""},
		"no URL that can be read": {Config{URL: "amqps://%zz", TLS: with}, ""},
	} {
		got := ""
		for _, way := range c.config.signIn() {
			got += way.Mechanism()
		}
		if got != c.want {
			t.Errorf("%s: signs in by %q, want %q", name, got, c.want)
		}
	}
}
