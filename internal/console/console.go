// Package console is the service as people see and steer it: what the dashboard, the
// API and calls over the bus show and do.
package console

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/fleet"
	"edrpipe/internal/health"
	"edrpipe/internal/intake"
	"edrpipe/internal/quarantine"
	"edrpipe/internal/telemetry"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/guard"
)

// Config of a console. All fields are needed but GuardsFile and AuditKey.
type Config struct {
	Bus        *bus.Bus
	Ingest     *bus.Bus // by which events are put on the bus
	Fleet      *fleet.Fleet
	Guard      *guard.Guard
	GuardsFile string
	Rules      *intake.Ruleset
	Artifacts  *artifacts.Store
	Metrics    *telemetry.Metrics
	Checks     func(context.Context) []health.Check
	Version    string
	Now        func() time.Time // the clock that all replicas share
	Log        zerolog.Logger

	Quarantine *quarantine.Quarantine
	Ledger     actions.Ledger
	Doctor     func(context.Context, func(web.Finding)) // tries the configuration

	Audit       *audit.Log
	AuditStream *audit.Stream
	AuditKey    []byte
	VerifyAudit func(context.Context, ...audit.Head) (audit.Report, error)
}

// Console shows the service and carries out what people ask of it; Routes are its calls.
type Console struct {
	Config
	history *history
	sensors *sensorList
	needs   *needsList
	trying  chan struct{} // held while the configuration is tried
}

// New makes a console.
func New(c Config) *Console {
	return &Console{Config: c, history: &history{metrics: c.Metrics}, sensors: &sensorList{}, needs: &needsList{}, trying: make(chan struct{}, 1)}
}

// lately is how far back lists of ended jobs go unless the query says otherwise.
const lately = 24 * time.Hour

// note writes down what a person did.
func (c *Console) note(ctx context.Context, by web.User, what, job, why string) error {
	return c.Audit.Append(ctx, audit.Entry{Kind: "person", By: by.Name, What: what, Job: job, Text: why})
}
