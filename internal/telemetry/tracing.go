package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracing sends a trace for each event that a rule matched: event, match, job,
// steps, commands. A nil Tracing is disabled.
//
// A job may outlive the process and run on another replica than the one that recorded
// it. So a span is sent after its end, with the times of the record and an id derived
// from its subject: the parts fit, whichever replica sends them.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// closeWithin bounds the sending of the last spans.
const closeWithin = 5 * time.Second

// NewTracing sends to an OTLP/HTTP endpoint, http://host:4318; empty: nil.
func NewTracing(ctx context.Context, endpoint, version string) (*Tracing, error) {
	if endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("tracing.endpoint: %q is not of the form http://host:4318", endpoint)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", "edrpipe"), attribute.String("service.version", version))
	p := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about), sdk.WithIDGenerator(ids{}))
	return &Tracing{provider: p, tracer: p.Tracer("edrpipe")}, nil
}

// Close sends what is left.
func (t *Tracing) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin) // the service's has ended by now
	defer cancel()
	return t.provider.Shutdown(ctx)
}
