package lr

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"version":"7.7.0.1.1"}`)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	sum := sha256.Sum256(srv.Certificate().Raw)
	print := hex.EncodeToString(sum[:])
	tests := map[string]struct {
		tls TLS
		ok  bool
	}{
		"system's authorities":  {},
		"its authority":         {tls: TLS{CA: cert}, ok: true},
		"fingerprint":           {tls: TLS{Pin: print}, ok: true},
		"fingerprint in colons": {tls: TLS{Pin: "SHA256:" + strings.ToUpper(print[:2]+":"+print[2:])}, ok: true},
		"pinned certificate":    {tls: TLS{Pin: string(cert)}, ok: true},
		"another fingerprint":   {tls: TLS{Pin: strings.Repeat("0", 64)}},
		"pin beats skip":        {tls: TLS{Pin: strings.Repeat("0", 64), InsecureSkipVerify: true}},
		"skip":                  {tls: TLS{InsecureSkipVerify: true}, ok: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := New(Config{URL: srv.URL, Token: testToken, TLS: tt.tls, Tries: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseIdle()
			if _, err := c.Info(t.Context()); (err == nil) != tt.ok {
				t.Errorf("got %v, want success: %v", err, tt.ok)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]Config{
		"no URL":           {Token: testToken},
		"no token":         {URL: "https://edr.example"},
		"token in clear":   {URL: "http://edr.example", Token: testToken},
		"no scheme":        {URL: "edr.example", Token: testToken},
		"another scheme":   {URL: "ftp://edr.example", Token: testToken},
		"line in token":    {URL: "https://edr.example", Token: "a\nb"},
		"query":            {URL: "https://edr.example/?x=1", Token: testToken},
		"bad pin":          {URL: "https://edr.example", Token: testToken, TLS: TLS{Pin: "00"}},
		"key as pin":       {URL: "https://edr.example", Token: testToken, TLS: TLS{Pin: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"}))}},
		"CA without certs": {URL: "https://edr.example", Token: testToken, TLS: TLS{CA: []byte("x")}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, url := range []string{"http://127.0.0.1:7443", "http://[::1]:1", "http://localhost", "https://edr.example/prefix/"} {
		if _, err := New(Config{URL: url, Token: testToken}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestRedirectsAreNotFollowed: net/http would send the token along.
func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	f := newFake(t)
	f.hook = func(_ *fake, w http.ResponseWriter, r *http.Request, _ []byte) bool {
		http.Redirect(w, r, other.URL, http.StatusFound)
		return true
	}
	_, err := f.client(t).Info(t.Context())
	if asked || !errors.Is(err, edr.ErrServer) || !strings.Contains(err.Error(), other.URL) {
		t.Errorf("got %v, other server asked: %v", err, asked)
	}
}
