package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

// certificate is a self-signed one that ends at a time.
func certificate(t *testing.T, until time.Time) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "edr"}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func nextYear() time.Time { return time.Now().AddDate(1, 0, 0) }

// otherClient is another client of the EDR server, which opens sessions.
func otherClient(w *nightWorld) *lr.Client {
	c, err := lr.New(lr.Config{URL: w.door.url(), Token: w.sim.Token})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

const (
	asksEvery  = 14 * time.Second
	asksText   = "every 5 s; two questions of up to 4 s, 1 s apart"
	hangsText  = "every 5 s; two questions of 10 s without an answer, 1 s apart"
	hangsAfter = 26 * time.Second
)

// nightServers are the situations of EDR servers and their sensors.
func nightServers() []situation {
	var foreign []edr.Session
	return []situation{
		{
			name: "EDR server dead", fault: "the server takes no connection; an event comes", looks: asksEvery, interval: asksText,
			strike: func(w *nightWorld) { w.door.shut(); w.attack() },
			health: `failed edr/hq since \S+ \S+ unreachable: [^→]*connection refused → is the server up[^?]*\?`, page: `check: edr/hq|edr/hq: failed. unreachable: .*connection refused`, why: `queued: server: server hq does not work since \S+ \(unreachable\): .*connection refused`,
			cure: "start the EDR server; nothing has to be done here", heal: func(w *nightWorld) { w.door.open() },
		},
		{
			name: "EDR server hangs", fault: "the server takes connections and answers nothing; an event comes", looks: hangsAfter, interval: hangsText,
			strike: func(w *nightWorld) { w.door.hang(); w.attack() },
			health: `failed edr/hq since .* timeout: [^→]* → look at the load of the server`, page: `edr/hq: failed: timeout`, why: `server hq does not work since \S+ \(timeout\)`,
			cure: "restart the EDR server; nothing has to be done here", heal: func(w *nightWorld) { w.door.answer(nil) },
		},
		{
			name: "token refused", fault: "the token file has a token that the server does not know; an event comes", short: true, looks: asksEvery + 2*time.Second, interval: "the file every 2 s, the server " + asksText,
			strike: func(w *nightWorld) { w.write("edr.token", "revoked"); w.noticed(); w.attack() },
			health: `failed edr/hq since .* unauthorized: [^→]*401[^→]* → put a valid API token`, page: `edr/hq: failed: unauthorized`, why: `server hq does not work since \S+ \(unauthorized\): .*401`,
			cure: "`cp new.token edr.token`", heal: func(w *nightWorld) { w.write("edr.token", w.sim.Token) },
		},
		{
			name: "token without rights", fault: "the server answers 403 to Live Response; an event comes", looks: asksEvery, interval: asksText,
			strike: func(w *nightWorld) { w.door.refuse("/cblr/", 403, "Forbidden"); w.attack() },
			health: `failed edr/hq since .* forbidden: [^→]*403[^→]* → give the user of the token`, page: `edr/hq: failed: forbidden`, why: `server hq does not work since \S+ \(forbidden\): .*403`,
			cure: "give the token's user the right to Live Response, at the EDR server", heal: func(w *nightWorld) { w.door.answer(nil) },
		},
		{
			name: "certificate of the EDR server expired", fault: "the server shows a certificate that ended yesterday; an event comes", looks: asksEvery, interval: asksText,
			setup:  func(t *testing.T) nightSetup { return nightSetup{cert: certificate(t, nextYear())} },
			strike: func(w *nightWorld) { w.door.show(certificate(w.t, time.Now().AddDate(0, 0, -1))); w.attack() },
			health: `failed edr/hq since .* certificate: [^→]*expired[^→]* → have the server show a valid certificate`, page: `edr/hq: failed: certificate: .*expired`, why: `server hq does not work since \S+ \(certificate\): .*expired`,
			cure: "put the renewed certificate on the EDR server, and into `edr.ca` where it is self-signed: `cp new.pem edr-ca.pem`",
			heal: func(w *nightWorld) { renew(w) },
		},
		{
			name: "certificate of an unknown authority", fault: "the server shows another certificate than `edr.ca` knows; an event comes", looks: asksEvery, interval: asksText,
			setup:  func(t *testing.T) nightSetup { return nightSetup{cert: certificate(t, nextYear())} },
			strike: func(w *nightWorld) { w.door.show(certificate(w.t, nextYear())); w.attack() },
			health: `failed edr/hq since .* certificate: [^→]*unknown authority[^→]* → `, page: `edr/hq: failed: certificate: .*unknown authority`, why: `server hq does not work since \S+ \(certificate\): .*unknown authority`,
			cure: "`cp new.pem edr-ca.pem`, after a look at its fingerprint", heal: func(w *nightWorld) { renew(w) },
		},
		{
			name: "Live Response switched off at the server", fault: "the server answers 412 to Live Response; an event comes", looks: asksEvery, interval: asksText,
			strike: func(w *nightWorld) { w.door.refuse("/cblr/", 412, "CBLR is disabled"); w.attack() },
			health: `degraded edr/hq since .* live_response_disabled: [^→]* → turn Live Response on`, page: `edr/hq: degraded: live_response_disabled`, why: `(?i)queued: .*Live Response (is )?disabled`,
			cure: "turn Live Response on, at the EDR server", heal: func(w *nightWorld) { w.door.answer(nil) },
		},
		{
			name: "all sessions taken by others", fault: "other clients hold both sessions that the server grants; an event comes", looks: 10 * time.Second, interval: "a refusal at once, the sessions of others every 10 s",
			setup: func(*testing.T) nightSetup {
				return nightSetup{sim: edrsim.Config{Sensors: 3, Slots: 2}, edr: ", sessions: 2, reserve: 0"}
			},
			strike: func(w *nightWorld) {
				c := otherClient(w)
				for _, id := range []string{"2", "3"} {
					s, err := c.Open(w.t.Context(), id)
					if err != nil {
						w.t.Fatal(err)
					}
					foreign = append(foreign, s)
				}
				w.attack()
			},
			health: `degraded edr/hq since .* refuses_sessions: [^→]* → end sessions of other clients`, page: `edr/hq: degraded: refuses_sessions`, why: `queued: .*(sessions|session).*(others|other clients|refuse)`,
			cure: "end a session at the EDR's console", heal: func(w *nightWorld) {
				for _, s := range foreign {
					if err := s.Close(context.WithoutCancel(w.t.Context())); err != nil {
						w.t.Error(err)
					}
				}
				foreign = nil
			},
		},
		{
			name: "endpoint asleep", fault: "the computer is switched off, and the server has not heard of it for six minutes; an event comes", looks: time.Second, interval: "sensors every `sensor_poll`, 1 s here",
			strike: func(w *nightWorld) {
				if err := w.sim.SetPower(1, false); err != nil {
					w.t.Fatal(err)
				}
				w.sim.Advance(6 * time.Minute)
				w.attack()
			},
			health: "— one endpoint that sleeps is no fault of the service", why: `parked: .*offline.*`, page: `offline.*`,
			look: jobLine,
			cure: "switch the computer on: the job begins at its next check-in (or `pipeline jobs cancel JOB`)",
			heal: func(w *nightWorld) {
				if err := w.sim.SetPower(1, true); err != nil {
					w.t.Fatal(err)
				}
			},
		},
		{
			name: "sensor uninstalled", fault: "the server does not know sensor 9 any more; an event of it comes", looks: time.Second, interval: "at once",
			strike: func(w *nightWorld) { w.attackOn(9) },
			health: "— one job that failed is no fault of the service; three of a rule are", page: `needs you: 1 job of rule evil failed`, why: `job failed unknown_sensor the EDR server does not know the sensor`,
			cure: "`pipeline jobs submit --sensor HOST …`: the host under its new id",
			heal: func(w *nightWorld) {
				w.do("jobs", "submit", "--sensor", "WKS-0001", "--uses", "list_processes", "--wait")
				w.job = w.jobs("")[0].ID
			},
		},
	}
}

// noticed returns when the first check is not ok any more.
func (w *nightWorld) noticed() {
	w.t.Helper()
	w.await("the fault is noticed", func() bool { return !w.healthy() })
}

// renew makes the file of edr.ca the certificate that the server shows.
func renew(w *nightWorld) {
	c := certificate(w.t, nextYear())
	w.door.show(c)
	w.write("edr-ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
}

// jobLine is the line of the job in the list.
func jobLine(w *nightWorld) []string {
	for _, j := range w.jobs("") {
		if j.ID == w.job {
			return []string{strings.Join([]string{string(j.State), string(j.Reason), j.Detail}, " ")}
		}
	}
	return nil
}
