package service

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRulesMayNotSendToMetadataAddresses(t *testing.T) {
	t.Parallel()
	for address, refused := range map[string]bool{
		"169.254.169.254:80": true, "[::ffff:169.254.169.254]:80": true, "[fe80::1%eth0]:80": true, "[fd00:ec2::254]:80": true,
		"100.100.100.200:80": true, "0.0.0.0:80": true, "[::]:80": true, "224.0.0.1:80": true, "rubbish": true,
		"192.0.2.1:443": false, "[2001:db8::1]:443": false,
	} {
		if err := mayDial("tcp", address, nil); (err != nil) != refused {
			t.Errorf("%s: %v, want refused %v", address, err, refused)
		}
	}
}

func TestTheDialledAddressCounts(t *testing.T) {
	t.Parallel()
	from := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest", http.StatusFound))
	t.Cleanup(from.Close)
	resp, err := egress().Get(from.URL)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "rules may not send there") {
		t.Errorf("a redirect to a metadata address: %v", err)
	}
}
