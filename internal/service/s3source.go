package service

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/rs/zerolog"

	"edrpipe/internal/config"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/s3"
	"edrpipe/pkg/events/s3/sqs"
)

// openS3 opens the source of a bucket.
func openS3(c config.Config, log zerolog.Logger) (events.Source, error) {
	q := c.Sources.S3
	u, err := url.Parse(q.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("sources.s3.endpoint: %q is not a URL such as https://s3.eu-central-1.amazonaws.com", q.Endpoint)
	}
	creds, err := s3Credentials(q.AccessKey, q.SecretKey)
	if err != nil {
		return nil, fmt.Errorf("sources.s3.%w", err)
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: creds, Secure: u.Scheme == "https", Region: q.Region})
	if err != nil {
		return nil, fmt.Errorf("sources.s3.endpoint: %w", err)
	}
	places := filepath.Join(c.Data, "places")
	if err := os.MkdirAll(places, 0o700); err != nil {
		return nil, fmt.Errorf("place in the bucket: %w", err)
	}
	var queue s3.Queue
	if q.Queue != "" {
		if queue, err = sqs.Open(q.Queue, q.Region, creds); err != nil {
			return nil, fmt.Errorf("sources.s3.queue: %w", err)
		}
	}
	return &s3.Source{
		Queue:  queue,
		Client: client, Bucket: q.Bucket, Prefix: q.Prefix, Poll: q.Poll, Lookback: q.Lookback, Server: c.BoundTo(q.Server), Log: log,
		Place: filepath.Join(places, "s3-"+url.PathEscape(q.Bucket+"/"+q.Prefix)+".json"),
	}, nil
}

// s3Credentials are those in the files, or of the machine where none are named.
func s3Credentials(access, secretKey string) (*credentials.Credentials, error) {
	if access == "" {
		return credentials.NewIAM(""), nil
	}
	id, err := secret(access)
	if err != nil {
		return nil, fmt.Errorf("access_key_file: %w", err)
	}
	key, err := secret(secretKey)
	if err != nil {
		return nil, fmt.Errorf("secret_key_file: %w", err)
	}
	return credentials.NewStaticV4(id, key, ""), nil
}
