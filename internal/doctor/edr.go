package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/lr"
)

// edr tries the way to the EDR server: address, certificate, token, rights, what
// the server permits, clock.
func (d *Doctor) edr(ctx context.Context) {
	c := d.Config.EDR
	if c.URL == "" {
		d.failed("edr", "edr.url is not set", "name your EDR server, or try everything out with `pipeline init --sim DIR`")
		return
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		d.failed("edr", "edr.url: "+err.Error(), "write https://host")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 4*d.Within)
	defer cancel()
	if !d.reach(ctx, u) {
		return
	}
	client, err := d.client()
	if err != nil {
		d.failed("edr", err.Error(), "correct edr.token_file, edr.ca or edr.pin")
		return
	}
	defer client.CloseIdle()
	info, err := client.Info(ctx)
	if err != nil {
		d.refused("the server does not answer a first question", err)
		return
	}
	d.ok("edr", fmt.Sprintf("%s answers, version %s", c.URL, info.Version))
	d.rights(ctx, client)
	if !info.LiveResponse {
		d.failed("edr", "the server has Live Response disabled: no session can be opened", "in the EDR console: Settings, Live Response; or CbLREnabled=True in cb.conf, and restart cb-enterprise")
	}
	if !info.Banning {
		d.degraded("edr", "the server has banning disabled: ban_hash will be refused", "in the EDR console: Settings, Sharing and Banning")
	}
	d.clock(ctx, u)
}

// reach resolves the name, connects, and looks at the certificate.
func (d *Doctor) reach(ctx context.Context, u *url.URL) bool {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	dialer := net.Dialer{Timeout: d.Within}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		d.failed("edr", fmt.Sprintf("the name %s cannot be resolved: %v", host, dns), "correct edr.url, or the DNS of this machine")
		return false
	case err != nil:
		d.failed("edr", fmt.Sprintf("no connection to %s: %v", net.JoinHostPort(host, port), err), "is the server up, and does a firewall let this machine through?")
		return false
	}
	defer conn.Close()
	if u.Scheme != "https" {
		d.ok("edr", net.JoinHostPort(host, port)+" accepts connections (plain http)")
		return true
	}
	shown := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: host}) // only looked at: the client below verifies
	if err := shown.HandshakeContext(ctx); err != nil {
		d.failed("edr", "TLS: "+err.Error(), "is it https that listens there?")
		return false
	}
	d.expiry("edr", "the server's certificate", shown.ConnectionState().PeerCertificates[0])
	return true
}

// client is the client that the service would use.
func (d *Doctor) client() (*lr.Client, error) {
	c := d.Config.EDR
	token, err := os.ReadFile(d.path(c.Token))
	if err != nil {
		return nil, fmt.Errorf("edr.token_file: %w", err)
	}
	conf := lr.Config{URL: c.URL, Token: strings.TrimSpace(string(token)), Name: c.Name, AllowPlain: true, TLS: lr.TLS{Pin: c.Pin, InsecureSkipVerify: c.Insecure}}
	if c.CA != "" {
		if conf.TLS.CA, err = os.ReadFile(d.path(c.CA)); err != nil {
			return nil, fmt.Errorf("edr.ca: %w", err)
		}
	}
	return lr.New(conf)
}

// rights reads what the service reads: sensors and sessions.
func (d *Doctor) rights(ctx context.Context, client *lr.Client) {
	sensors, err := client.Sensors(ctx, edr.SensorQuery{})
	if err != nil {
		d.refused("sensors cannot be listed", err)
		return
	}
	sessions, err := client.Sessions(ctx)
	if err != nil {
		d.refused("Live Response sessions cannot be listed", err)
		return
	}
	d.ok("edr", fmt.Sprintf("the token is accepted; %d sensors, %d sessions open", len(sensors), len(sessions)))
	if len(sensors) == 0 {
		d.degraded("edr", "the token's user sees no sensor", "give the user's team a role for the sensor groups, or make it a global administrator")
	}
}

// refused reports an error of the server with what cures it.
func (d *Doctor) refused(what string, err error) {
	cure := "is it an EDR server that answers there?"
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.Is(err, edr.ErrUnauthorized):
		cure = "put the API token of a global administrator into edr.token_file (console: your name, My Profile, API Token)"
	case errors.As(err, &unknown):
		cure = "give the authority in edr.ca, or pin the certificate: edr.pin is its SHA-256, as `openssl s_client -connect HOST:443 </dev/null | openssl x509 -noout -fingerprint -sha256` prints it"
	case errors.Is(err, context.DeadlineExceeded):
		cure = "the server is slow or does not answer; look at its load"
	case errors.Is(err, edr.ErrDisabled):
		cure = "turn Live Response on in the EDR console"
	}
	d.failed("edr", what+": "+err.Error(), cure)
}

// clock compares the server's clock with this one.
func (d *Doctor) clock(ctx context.Context, u *url.URL) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		return
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the answer's date only
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		d.unknown("clock", "the server's clock cannot be read: "+err.Error(), "")
		return
	}
	defer res.Body.Close()
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		d.unknown("clock", "the server's answers have no date", "")
		return
	}
	off := d.Now().Sub(theirs).Round(time.Second)
	if off.Abs() > 30*time.Second {
		d.degraded("clock", fmt.Sprintf("this machine's clock and the EDR server's differ by %s", off.Abs()), "let both follow NTP: rules that look at an event's age go wrong otherwise")
		return
	}
	d.ok("clock", "within 30 s of the EDR server's")
}
