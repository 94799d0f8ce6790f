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

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/kinds"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/lr"
)

// edr tries the way to each EDR server: address, certificate, token, rights, what the
// server permits, clock.
func (d *Doctor) edr(ctx context.Context) {
	all := d.Config.AllServers()
	for i, s := range all {
		c := serverCheck{Doctor: d, server: s, check: "edr", clockCheck: "clock", keys: "edr."}
		if len(d.Config.Servers) > 0 {
			c.keys = fmt.Sprintf("servers[%d].", i)
		}
		if len(all) > 1 {
			c.check, c.clockCheck = "edr/"+s.Name, "clock/"+s.Name
		}
		c.run(ctx)
	}
}

// serverCheck tries one server.
type serverCheck struct {
	*Doctor
	server            config.Server
	check, clockCheck string // names of its findings
	keys              string // beginning of its keys in the configuration
}

func (d serverCheck) run(ctx context.Context) {
	own, ok := d.server.Own.(*config.CarbonBlack)
	if !ok {
		d.other(ctx)
		return
	}
	if own.URL == "" {
		d.failed(d.check, d.keys+"url is not set", "name your EDR server, or try everything out with `pipeline init --sim DIR`")
		return
	}
	u, err := url.Parse(own.URL)
	if err != nil {
		d.failed(d.check, d.keys+"url: "+err.Error(), "write https://host")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 4*d.Within)
	defer cancel()
	if !d.reach(ctx, u) {
		return
	}
	client, err := d.client(own)
	if err != nil {
		d.failed(d.check, err.Error(), fmt.Sprintf("correct %[1]stoken_file, %[1]sca or %[1]spin", d.keys))
		return
	}
	defer client.CloseIdle()
	info, err := client.Info(ctx)
	if err != nil {
		d.refused("the server does not answer a first question", err)
		return
	}
	d.ok(d.check, fmt.Sprintf("%s answers, version %s; it is called by events %s", own.URL, info.Version, strings.Join(d.server.Accepts(), ", ")))
	d.rights(ctx, client)
	if !info.LiveResponse {
		d.failed(d.check, "the server has Live Response disabled: no session can be opened", "in the EDR console: Settings, Live Response; or CbLREnabled=True in cb.conf, and restart cb-enterprise")
	}
	if !info.Banning {
		d.degraded(d.check, "the server has banning disabled: ban_hash will be refused", "in the EDR console: Settings, Sharing and Banning")
	}
	d.licence(ctx, client)
	d.clock(ctx, u)
}

// licence looks at the server's licence, where it tells its state.
func (d serverCheck) licence(ctx context.Context, client *lr.Client) {
	l, err := client.Licence(ctx)
	if err != nil {
		d.unknown(d.check, "the state of the server's licence cannot be read: "+err.Error(), "look at it in the EDR console: Settings, License")
		return
	}
	const cure = "upload a new licence in the EDR console: Settings, License"
	switch err := l.Check(d.Now()); {
	case errors.Is(err, edr.ErrLicence):
		d.failed(d.check, err.Error(), cure)
	case errors.Is(err, edr.ErrLicenceEnding):
		d.degraded(d.check, err.Error(), cure)
	case !l.Ends.IsZero():
		d.ok(d.check, "the server's licence is valid until "+l.Ends.Format(time.DateOnly))
	}
}

// other tries a server of another kind by what every kind can be asked.
func (d serverCheck) other(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 4*d.Within)
	defer cancel()
	client, err := kinds.Open(d.server, new(kinds.Shared), zerolog.Nop())
	if err != nil {
		d.failed(d.check, err.Error(), "correct the keys below "+strings.TrimSuffix(d.keys, "."))
		return
	}
	if idle, ok := client.(interface{ CloseIdle() }); ok {
		defer idle.CloseIdle()
	}
	d.rights(ctx, client)
	if checker, ok := client.(edr.PermissionChecker); ok {
		d.permissions(checker.Permissions(ctx))
	}
}

// permissions reports each right that the token lacks with what needs it.
func (d serverCheck) permissions(all []edr.Permission) {
	granted := 0
	var untested []string
	for _, p := range all {
		switch p.State {
		case edr.Granted:
			granted++
		case edr.Missing:
			d.failed(d.check, fmt.Sprintf("the key lacks %s %s, which is needed for %s: %v", p.Name, p.Right, p.For, p.Err),
				fmt.Sprintf("in the console: Settings, API Access, Access Levels: tick %s for %s in the level of this key", p.Right, p.Name))
		default:
			untested = append(untested, fmt.Sprintf("%s %s (%v)", p.Name, p.Right, p.Err))
		}
	}
	if granted > 0 {
		d.ok(d.check, fmt.Sprintf("the key has %d of %d permissions that edrpipe uses", granted, len(all)))
	}
	if len(untested) > 0 {
		d.unknown(d.check, "permissions that were not tried: "+strings.Join(untested, "; "), "look at them in the console: Settings, API Access, Access Levels")
	}
}

// reach resolves the name, connects, and looks at the certificate.
func (d serverCheck) reach(ctx context.Context, u *url.URL) bool {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	dialer := net.Dialer{Timeout: d.Within}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		d.failed(d.check, fmt.Sprintf("the name %s cannot be resolved: %v", host, dns), "correct "+d.keys+"url, or the DNS of this machine")
		return false
	case err != nil:
		d.failed(d.check, fmt.Sprintf("no connection to %s: %v", net.JoinHostPort(host, port), err), "is the server up, and does a firewall let this machine through?")
		return false
	}
	defer conn.Close()
	if u.Scheme != "https" {
		d.ok(d.check, net.JoinHostPort(host, port)+" accepts connections (plain http)")
		return true
	}
	shown := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: host}) // only looked at: the client below verifies
	if err := shown.HandshakeContext(ctx); err != nil {
		d.failed(d.check, "TLS: "+err.Error(), "is it https that listens there?")
		return false
	}
	d.expiry(d.check, "the server's certificate", shown.ConnectionState().PeerCertificates[0])
	return true
}

// client is the client that the service would use.
func (d serverCheck) client(c *config.CarbonBlack) (*lr.Client, error) {
	token, err := os.ReadFile(d.path(c.Token))
	if err != nil {
		return nil, fmt.Errorf("%stoken_file: %w", d.keys, err)
	}
	conf := lr.Config{URL: c.URL, Token: strings.TrimSpace(string(token)), Name: d.server.Name, AllowPlain: true, TLS: lr.TLS{Pin: c.Pin, InsecureSkipVerify: c.Insecure}}
	if c.CA != "" {
		if conf.TLS.CA, err = os.ReadFile(d.path(c.CA)); err != nil {
			return nil, fmt.Errorf("%sca: %w", d.keys, err)
		}
	}
	return lr.New(conf)
}

// rights reads what the service reads: sensors and sessions.
func (d serverCheck) rights(ctx context.Context, client edr.Server) {
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
	d.ok(d.check, fmt.Sprintf("the token is accepted; %d sensors, %d sessions open", len(sensors), len(sessions)))
	if len(sensors) == 0 {
		d.degraded(d.check, "the token's user sees no sensor", "give the user's team a role for the sensor groups, or make it a global administrator")
	}
}

// refused reports an error of the server with what cures it.
func (d serverCheck) refused(what string, err error) {
	cure := "is it an EDR server that answers there?"
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.Is(err, edr.ErrUnauthorized):
		cure = "put the API token of a global administrator into " + d.keys + "token_file (console: your name, My Profile, API Token)"
	case errors.As(err, &unknown):
		cure = "give the authority in " + d.keys + "ca, or pin the certificate: " + d.keys + "pin is its SHA-256, as `openssl s_client -connect HOST:443 </dev/null | openssl x509 -noout -fingerprint -sha256` prints it"
	case errors.Is(err, context.DeadlineExceeded):
		cure = "the server is slow or does not answer; look at its load"
	case errors.Is(err, edr.ErrDisabled):
		cure = "turn Live Response on in the EDR console"
	}
	d.failed(d.check, what+": "+err.Error(), cure)
}

// clock compares the server's clock with this one.
func (d serverCheck) clock(ctx context.Context, u *url.URL) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		return
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the answer's date only
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		d.unknown(d.clockCheck, "the server's clock cannot be read: "+err.Error(), "")
		return
	}
	defer res.Body.Close()
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		d.unknown(d.clockCheck, "the server's answers have no date", "")
		return
	}
	off := d.Now().Sub(theirs).Round(time.Second)
	if off.Abs() > 30*time.Second {
		d.degraded(d.clockCheck, fmt.Sprintf("this machine's clock and the EDR server's differ by %s", off.Abs()), "let both follow NTP: rules that look at an event's age go wrong otherwise")
		return
	}
	d.ok(d.clockCheck, "within 30 s of the EDR server's")
}
