package lr_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

// renew uploads a licence, as the console does.
func renew(t *testing.T, sim *edrsim.Server) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sim.URL+"/api/v1/license", strings.NewReader(`{"license":"NEW"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", sim.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("uploading a licence: %s", res.Status)
	}
}

// behind is a client of a server whose answers come from h.
func behind(t *testing.T, sim *edrsim.Server, h http.Handler) *lr.Client {
	t.Helper()
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	return dial(t, sim, func(c *lr.Config) { c.URL = front.URL })
}

// TestLicence: a licence that has ended is told from a missing right, whatever the server
// refuses with; in the month after its end all works, and is announced.
func TestLicence(t *testing.T) {
	t.Parallel()
	const md5 = "d41d8cd98f00b204e9800998ecf8427e"
	for name, c := range map[string]struct {
		quirks edrsim.Quirks
		probe  error
		does   error // opening a session, banning
	}{
		"valid":              {nil, nil, nil},
		"within the month":   {edrsim.Quirks{"licence": "expired"}, edr.ErrLicenceEnding, nil},
		"ended":              {edrsim.Quirks{"licence": "403"}, edr.ErrLicence, edr.ErrLicence},
		"ended, refuses 412": {edrsim.Quirks{"licence": "412"}, edr.ErrLicence, edr.ErrLicence},
		"ended, refuses 500": {edrsim.Quirks{"licence": "500"}, edr.ErrLicence, edr.ErrLicence},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := simulate(t, edrsim.Config{Quirks: c.quirks})
			client := dial(t, sim)
			if err := client.Probe(t.Context()); !errors.Is(err, c.probe) {
				t.Errorf("Probe = %v, want %v", err, c.probe)
			}
			s, err := client.Open(t.Context(), "1")
			if !errors.Is(err, c.does) {
				t.Errorf("Open = %v, want %v", err, c.does)
			}
			if errors.Is(err, edr.ErrUnauthorized) || errors.Is(err, edr.ErrDisabled) {
				t.Errorf("Open = %v: the cure would be another one", err)
			}
			if err == nil {
				_ = s.Close(t.Context())
			}
			if err := client.Ban(t.Context(), md5, "why"); !errors.Is(err, c.does) || sim.Banned(md5) != (c.does == nil) {
				t.Errorf("Ban = %v, want %v; banned %v", err, c.does, sim.Banned(md5))
			}
			renew(t, sim)
			if err := dial(t, sim).Probe(t.Context()); err != nil {
				t.Errorf("Probe = %v with a new licence", err)
			}
		})
	}
}

// TestASilentServerIsNoLicence: a server that does not tell its licence works, and a
// refusal stays what it is.
func TestASilentServerIsNoLicence(t *testing.T) {
	t.Parallel()
	sim := simulate(t, edrsim.Config{Quirks: edrsim.Quirks{"licence": "403"}})
	silent := http.NewServeMux()
	silent.Handle("/", sim)
	silent.HandleFunc("/api/v1/license", http.NotFound)
	client := behind(t, sim, silent)
	if err := client.Probe(t.Context()); err != nil {
		t.Errorf("Probe = %v", err)
	}
	if _, err := client.Open(t.Context(), "1"); !errors.Is(err, edr.ErrUnauthorized) || errors.Is(err, edr.ErrLicence) {
		t.Errorf("Open = %v", err)
	}
}

// TestLicenceAnswers: what a server says of its licence, in the forms that fields take.
func TestLicenceAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{}`:   nil,
		`null`: nil,
		`{"license_valid":true,"license_expired":false,"license_end_date":"2001-01-01"}`: nil, // the server decides
		`{"license_expired":"true","license_end_date":"2001-01-01"}`:                     edr.ErrLicence,
		`{"license_expired":1,"license_end_date":"9998-01-01"}`:                          edr.ErrLicenceEnding,
		`{"license_expired":true}`:                                                       edr.ErrLicenceEnding,
		`{"license_expired":true,"license_end_date":null}`:                               edr.ErrLicenceEnding,
		`{"license_expired":true,"license_end_date":"soon"}`:                             edr.ErrLicenceEnding,
		`[]`: nil, // cannot be read
	} {
		sim := simulate(t, edrsim.Config{})
		says := http.NewServeMux()
		says.Handle("/", sim)
		says.HandleFunc("/api/v1/license", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		if err := behind(t, sim, says).Probe(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: Probe = %v, want %v", body, err, want)
		}
	}
}
