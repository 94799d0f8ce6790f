package tlsfiles_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edrpipe/internal/selfsigned"
	"edrpipe/internal/tlsfiles"
)

// files writes a certificate, its key and a file that is neither.
func files(t *testing.T) (crt, key, junk string) {
	t.Helper()
	c, err := selfsigned.New(selfsigned.Template{CommonName: "test", NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	crtPEM, keyPEM, err := selfsigned.PEM(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	return write("crt.pem", crtPEM), write("key.pem", keyPEM), write("junk.pem", "no certificate\n")
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConfig(t *testing.T) {
	crt, key, _ := files(t)
	c := tlsfiles.Client{CA: crt, Cert: crt, Key: key}
	conf, err := c.Config()
	if err != nil {
		t.Fatal(err)
	}
	if len(conf.Certificates) != 1 {
		t.Errorf("%d client certificates, want 1", len(conf.Certificates))
	}
	leaf, err := x509.ParseCertificate(conf.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: conf.RootCAs, DNSName: "127.0.0.1"}); err != nil {
		t.Errorf("the CA of the file is not trusted: %v", err)
	}
	if c.Empty() || !(tlsfiles.Client{}).Empty() {
		t.Error("Empty: wrong for one of a client with files and a client without")
	}
	none, err := tlsfiles.Client{}.Config()
	if err != nil || none.RootCAs != nil || none.Certificates != nil {
		t.Errorf("no files: %+v, %v; want the system's authorities and no certificate", none, err)
	}
}

func TestConfigRefuses(t *testing.T) {
	crt, key, junk := files(t)
	for name, tc := range map[string]struct {
		c    tlsfiles.Client
		want string
	}{
		"missing CA":          {tlsfiles.Client{CA: crt + ".gone"}, "CA: open "},
		"CA of no PEM":        {tlsfiles.Client{CA: junk}, "holds no certificate"},
		"missing certificate": {tlsfiles.Client{Cert: crt + ".gone", Key: key}, "client certificate: "},
		"certificate alone":   {tlsfiles.Client{Cert: crt}, "client certificate: "},
		"key alone":           {tlsfiles.Client{Key: key}, "client certificate: "},
		"key of no PEM":       {tlsfiles.Client{Cert: crt, Key: junk}, "client certificate: "},
	} {
		if _, err := tc.c.Config(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}
