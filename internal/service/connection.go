package service

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"

	"edrpipe/internal/doctor"
	"edrpipe/internal/health"
	"edrpipe/internal/web"
)

// tryConfiguration tries what the configuration of this service names, as `pipeline
// doctor` does beside it.
func (s *Service) tryConfiguration(ctx context.Context, report func(web.Finding)) {
	d := doctor.Doctor{Config: s.cfg, Service: s.URL(), HTTP: &http.Client{Transport: ownReadiness(s.health)}, Now: s.clock.Now}
	d.Run(ctx, func(f doctor.Finding) {
		report(web.Finding{Check: f.Check, State: f.State, Text: f.Text, Cure: f.Cure})
	})
}

// ownReadiness answers the doctor's question for the readiness of this very service: its
// own certificate need not be one that this machine trusts.
type ownReadiness func(context.Context) []health.Check

// RoundTrip implements http.RoundTripper.
func (o ownReadiness) RoundTrip(r *http.Request) (*http.Response, error) {
	checks := o(r.Context())
	ready := !slices.ContainsFunc(checks, func(c health.Check) bool { return !c.Ready() })
	body, err := json.Marshal(web.Readiness{Ready: ready, Checks: checks})
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, err
}
