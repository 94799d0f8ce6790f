package service

import (
	"context"

	"edrpipe/internal/console"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// Publish puts a message on the bus as the EDR's bridge would.
func (s *Service) Publish(ctx context.Context, m events.Message) error {
	_, err := s.ingest.JetStream().PublishMsg(ctx, jetstream.Encode(jetstream.Prefix, m))
	return err
}

// Notices calls see with what the bus says of jobs and results, until ctx ends.
func (s *Service) Notices(ctx context.Context, see func(string, []byte)) error {
	return s.console.Notices(ctx, see)
}

// Tally is what the service has done since it was opened.
type Tally struct {
	Messages, Events, Matches, Dead int
	Artifacts                       []actions.Artifact // newest first
}

// Tally counts.
func (s *Service) Tally(ctx context.Context) (Tally, error) {
	files, err := s.console.Files(ctx, artifacts.Filter{})
	if err != nil {
		return Tally{}, err
	}
	dead := 0
	err = s.sources.dead.List(ctx, "", func(jetstream.Dead) error { dead++; return nil })
	return Tally{
		Messages: int(console.Total(s.metrics.Messages)), Events: int(console.Total(s.metrics.Events)), Matches: int(console.Total(s.metrics.Matches)),
		Dead: dead, Artifacts: files,
	}, err
}
