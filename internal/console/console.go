// Package console is the service as people see and steer it: what the dashboard, the
// API and calls over the bus show and do.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"edrpipe/internal/intake"
	"edrpipe/internal/telemetry"
	"edrpipe/internal/web"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// Config of a console. All fields are needed but GuardsFile and AuditKey.
type Config struct {
	Bus        *bus.Bus
	EDR        edr.Server
	Server     string // name of the EDR server
	Scheduler  *jobs.Scheduler
	Guard      *guard.Guard
	GuardsFile string
	Rules      *intake.Ruleset
	Artifacts  *artifacts.Store
	Metrics    *telemetry.Metrics
	Checks     func(context.Context) []web.Check
	Version    string
	Now        func() time.Time // the clock that all replicas share

	Audit       *audit.Log
	AuditStream *audit.Stream
	AuditKey    []byte
	VerifyAudit func(context.Context, ...audit.Head) (audit.Report, error)
}

// Console implements web.Service.
type Console struct {
	Config
	history *history
	sensors *sensorList
}

// New makes a console.
func New(c Config) *Console {
	return &Console{Config: c, history: &history{metrics: c.Metrics}, sensors: &sensorList{}}
}

// lately is how far back lists of ended jobs go unless the query says otherwise.
const lately = 24 * time.Hour

// note writes down what a person did.
func (c *Console) note(ctx context.Context, by web.User, what, job, why string) error {
	return c.Config.Audit.Append(ctx, audit.Entry{Kind: "person", By: by.Name, What: what, Job: job, Text: why})
}

// Audit implements web.Service.
func (c *Console) Audit(ctx context.Context, last int) ([]json.RawMessage, error) {
	var tail []json.RawMessage
	err := audit.Read(ctx, c.AuditStream, c.AuditKey, func(e audit.Entry) error {
		b, err := json.Marshal(e)
		tail = append(tail, b)
		if len(tail) > 2*last+100 {
			tail = slices.Clone(tail[len(tail)-last:])
		}
		return err
	})
	return tail[max(0, len(tail)-last):], err
}

// VerifyAudit implements web.Service.
func (c *Console) VerifyAudit(ctx context.Context, noted []audit.Head) (web.AuditReport, error) {
	r, err := c.Config.VerifyAudit(ctx, noted...)
	report := web.AuditReport{Good: err == nil, Entries: r.Entries, Head: r.Head.Hash}
	var damage *audit.Damage
	if errors.As(err, &damage) {
		report.Damage, err = damage.Error(), nil
	}
	return report, err
}

// Notices implements web.Service.
func (c *Console) Notices(ctx context.Context, see func(string, []byte)) error {
	var subs []*nats.Subscription
	defer func() {
		for _, s := range subs {
			_ = s.Unsubscribe() // fails only with the connection, which ends it too
		}
	}()
	for _, subject := range []string{"edr.jobs.>", "edr.results.>"} {
		sub, err := c.Bus.Conn().Subscribe(subject, func(m *nats.Msg) { see(m.Subject, m.Data) })
		if err != nil {
			return err
		}
		subs = append(subs, sub)
	}
	<-ctx.Done()
	return nil
}
