package service

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/internal/fleet"
	"edrpipe/internal/kinds"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/lines"
)

// otherSources opens what the configuration names besides the bus and HTTP.
func otherSources(c config.Config, log zerolog.Logger) ([]events.Source, error) {
	var all []events.Source
	places := filepath.Join(c.Data, "places")
	if len(c.Sources.Files) > 0 {
		if err := os.MkdirAll(places, 0o700); err != nil {
			return nil, fmt.Errorf("places of followed files: %w", err)
		}
	}
	for _, f := range c.Sources.Files {
		place := filepath.Join(places, url.PathEscape(filepath.Clean(f))+".json")
		all = append(all, &lines.File{Origin: lines.Origin{Server: c.BoundTo(c.Sources.FilesServer), Log: log}, Path: f, Follow: true, Place: place})
	}
	for _, l := range []struct {
		config.ListenSource
		syslog bool
	}{{c.Sources.TCP, false}, {c.Sources.Syslog, true}} {
		if l.Listen == "" {
			continue
		}
		from, err := networks(l.From)
		if err != nil {
			return nil, err
		}
		idle := l.Idle
		if idle == 0 {
			idle = -1
		}
		tcp, err := lines.ListenTCP(lines.TCPConfig{Origin: lines.Origin{Server: c.BoundTo(l.Server), Log: log}, Listen: lines.Listen{Address: l.Listen, From: from}, Syslog: l.syslog, Idle: idle, Within: l.Within})
		if err != nil {
			return nil, err
		}
		all = append(all, tcp)
	}
	if c.Sources.S3.Bucket != "" {
		bucket, err := openS3(c, log)
		if err != nil {
			return nil, err
		}
		all = append(all, bucket)
	}
	return all, nil
}

// serverSources opens what comes with the servers: their own RabbitMQ, and what their
// kinds bring.
func (s *sources) serverSources(c config.Config, members []*fleet.Member, log zerolog.Logger) error {
	places := filepath.Join(c.Data, "places")
	for i, server := range c.AllServers() {
		if server.AMQP.URL != "" {
			rabbit, err := openAMQP(server.AMQP, server.Name, log)
			if err != nil {
				return fmt.Errorf("server %s: %w", server.Name, err)
			}
			s.rabbits = append(s.rabbits, rabbitSource{server: server.Name, queue: server.AMQP.Queue, source: rabbit})
			s.others = append(s.others, rabbit)
		}
		if own := kinds.Source(server, members[i].EDR, places, log); own != nil {
			if err := os.MkdirAll(places, 0o700); err != nil {
				return fmt.Errorf("places of sources: %w", err)
			}
			s.others = append(s.others, own)
		}
	}
	return nil
}

func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return nil, fmt.Errorf("sources: %q is not a network such as 10.1.0.0/16", t)
		}
		all = append(all, p)
	}
	return all, nil
}
