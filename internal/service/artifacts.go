package service

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"edrpipe/pkg/artifacts"
)

// openArtifacts opens the store of collected files that the configuration names.
func (s *Service) openArtifacts(ctx context.Context) error {
	c := s.cfg.Artifacts
	backend, err := s.backend(ctx)
	if err != nil {
		return err
	}
	conf := artifacts.Config{Backend: backend, Retain: c.Keep, MaxBytes: c.Quota, Now: s.clock.Now}
	for _, text := range c.Encrypt {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return fmt.Errorf("artifacts.encrypt_to: %q: %w", text, err)
		}
		conf.Recipients = append(conf.Recipients, r)
	}
	if s.artifacts, err = artifacts.Open(ctx, conf); err != nil {
		return err
	}
	s.quarantine.Files = s.artifacts
	return nil
}

func (s *Service) backend(ctx context.Context) (artifacts.Backend, error) {
	c := s.cfg.Artifacts
	switch c.Store {
	case "dir":
		dir := c.Dir
		if dir == "" {
			dir = filepath.Join(s.cfg.Data, "artifacts")
		}
		return artifacts.Directory(dir), os.MkdirAll(dir, 0o700)
	case "s3":
		access, err := secret(c.AccessKey)
		if err != nil {
			return nil, fmt.Errorf("artifacts.access_key_file: %w", err)
		}
		key, err := secret(c.SecretKey)
		if err != nil {
			return nil, fmt.Errorf("artifacts.secret_key_file: %w", err)
		}
		client, err := minio.New(c.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(access, key, ""), Secure: true})
		if err != nil {
			return nil, fmt.Errorf("artifacts.endpoint: %w", err)
		}
		return artifacts.S3{Client: client, Bucket: c.Bucket}, nil
	default:
		store, err := s.bus.ArtifactBucket(ctx)
		return artifacts.Objects{JetStream: s.bus.JetStream(), Store: store}, err
	}
}

// sweepArtifacts removes what has had its time, now and then; what a live job may
// still need stays.
func (s *Service) sweepArtifacts(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		swept, err := s.artifacts.Sweep(ctx, s.fleet.Live)
		if err != nil {
			s.log.Warn().Err(err).Msg("sweeping artifacts")
			continue
		}
		s.log.Info().Interface("swept", swept).Msg("artifacts swept")
	}
}
