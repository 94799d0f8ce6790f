package console

import (
	"cmp"
	"context"
	"errors"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// filesShown is how many of an endpoint's collected files its page shows.
const filesShown = 50

// errLooked ends a look at a record that is not changed.
var errLooked = errors.New("looked at")

// EndpointPage is all that is known of an endpoint that a person names, and what was
// done there. A server that does not answer hides nothing else.
func (c *Console) EndpointPage(ctx context.Context, text string) (web.EndpointPage, error) {
	page := web.EndpointPage{Jobs: []web.JobLine{}, Sessions: []web.SlotClaim{}, Artifacts: []actions.Artifact{}, Silences: []web.Silence{}, Isolation: []actions.Reason{}}
	var err error
	if page.Explained, err = c.Endpoint(ctx, text); err != nil {
		return page, err
	}
	at := page.Endpoint
	c.answered(ctx, at, &page)
	if page.Isolation, page.Foreign, err = c.isolationOf(ctx, at); err != nil {
		return page, err
	}
	if page.Jobs, err = c.jobLines(ctx, jobs.Query{Endpoint: at, Since: c.Now().Add(-lately)}); err != nil {
		return page, err
	}
	for endpoint, claim := range c.Fleet.Stats().Claims {
		if endpoint == at && claim.Slot {
			page.Sessions = append(page.Sessions, web.SlotClaim{Server: at.Server, Sensor: looseid.ID(at.ID), Host: page.Host, Session: claim.Session, Job: claim.Job, Owner: claim.Owner})
		}
	}
	files, err := c.Files(ctx, artifacts.Filter{Last: web.MaxList})
	if err != nil {
		return page, err
	}
	for _, f := range files {
		if cmp.Or(f.Server, c.Fleet.Sole()) == at.Server && string(f.Sensor) == at.ID && len(page.Artifacts) < filesShown {
			page.Artifacts = append(page.Artifacts, f)
		}
	}
	page.Silences, err = c.silences(ctx, func(s web.Silence) bool { return c.silencesOn(s, at) })
	return page, err
}

// answered adds what the server says of the endpoint now.
func (c *Console) answered(ctx context.Context, at edr.Endpoint, page *web.EndpointPage) {
	m := c.Fleet.Member(at.Server)
	ctx, cancel := context.WithTimeout(ctx, endpointWithin)
	defer cancel()
	s, err := m.EDR.Sensor(ctx, at.ID)
	if err != nil {
		page.Problem = silence(m, err)
		return
	}
	page.Host = cmp.Or(page.Host, s.Hostname)
	page.Sensor = &web.SensorLine{Server: at.Server, Sensor: s, Queue: c.Fleet.Waiting()[at], Running: c.Fleet.Stats().Claims[at].Job}
}

// isolationOf reads who has an endpoint isolated, and whether it was so before.
func (c *Console) isolationOf(ctx context.Context, at edr.Endpoint) ([]actions.Reason, bool, error) {
	var found actions.Containment
	_, err := c.Ledger.Update(ctx, actions.IsolationKey(at), func(record *actions.Containment) error {
		found = *record
		return errLooked
	})
	if !errors.Is(err, errLooked) {
		return nil, false, err
	}
	return append([]actions.Reason{}, found.Reasons...), found.Found, nil
}

// silencesOn reports whether a silence keeps something from acting on an endpoint.
func (c *Console) silencesOn(s web.Silence, at edr.Endpoint) bool {
	member := c.Fleet.Member(at.Server)
	return (s.Sensor == "" || string(s.Sensor) == at.String() || string(s.Sensor) == at.ID) &&
		(s.Server == "" || s.Server == at.Server) && (s.Tenant == "" || s.Tenant == member.Tenant)
}
