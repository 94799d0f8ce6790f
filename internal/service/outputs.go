package service

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/config"
	"edrpipe/internal/health"
	"edrpipe/internal/outputs"
	"edrpipe/internal/tlsfiles"
	"edrpipe/pkg/events"
	eventsjs "edrpipe/pkg/events/jetstream"
)

// openOutputs makes the outputs that the configuration names.
func (s *Service) openOutputs(context.Context) error {
	dead := newDeadLetters(s.bus)
	for i, c := range s.cfg.Outputs {
		sink, err := s.sink(c)
		if err != nil {
			return fmt.Errorf("outputs[%d].%w", i, err)
		}
		format := outputs.Format(outputs.CloudEvents)
		if c.Format == "ocsf" {
			format = outputs.OCSF{Version: s.version}.Format
		}
		o, err := outputs.New(outputs.Config{
			Name: c.Name, JetStream: s.bus.JetStream(), Only: c.Only, Rules: c.Rules, Format: format, Sink: sink, Log: s.log,
			Dead: func(ctx context.Context, m jetstream.Msg, why error) error {
				return dead.Write(ctx, eventsjs.ReasonOutput, events.Message{Body: m.Data(), Transport: "output", Server: c.Name, RoutingKey: m.Subject(), Received: s.clock.Now()}, why)
			},
		})
		if err != nil {
			return fmt.Errorf("outputs[%d]: %w", i, err)
		}
		s.outputs = append(s.outputs, o)
	}
	return nil
}

// sink makes the destination of an output.
func (s *Service) sink(c config.Output) (outputs.Sink, error) {
	trust, err := tlsfiles.Client{CA: c.CA}.Config()
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	switch c.Kind {
	case "http":
		return httpSink(c, trust), nil
	case "syslog":
		out := &outputs.Syslog{Address: c.Address, Host: s.cfg.Title()}
		if c.TLS {
			host, _, err := net.SplitHostPort(c.Address)
			if err != nil {
				return nil, fmt.Errorf("address: %w", err)
			}
			out.TLS = trust
			out.TLS.ServerName = host
		}
		return out, nil
	case "file":
		return outputs.File{Path: c.Path}, nil
	}
	return s3Sink(c)
}

func httpSink(c config.Output, trust *tls.Config) outputs.Sink {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute}
	out := outputs.HTTP{URL: c.URL, Type: "application/cloudevents-batch+json", Client: &http.Client{Transport: transport}}
	if c.Format == "ocsf" {
		out.Type = "application/json"
	}
	if c.Token != "" {
		out.Token = func() (string, error) { return secret(c.Token) }
	}
	return out
}

func s3Sink(c config.Output) (outputs.Sink, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("endpoint: %q is not a URL such as https://s3.eu-central-1.amazonaws.com", c.Endpoint)
	}
	creds, err := s3Credentials(c.AccessKey, c.SecretKey)
	if err != nil {
		return nil, err
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: creds, Secure: u.Scheme == "https", Region: c.Region})
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	return outputs.S3{Client: client, Bucket: c.Bucket, Prefix: c.Prefix}, nil
}

// outputsHealth checks that every destination takes what it is sent.
func (s *Service) outputsHealth() (all []health.Check) {
	for _, o := range s.outputs {
		all = append(all, o.Check())
	}
	return all
}
