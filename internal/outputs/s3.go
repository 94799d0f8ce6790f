package outputs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/minio/minio-go/v7"
)

// S3 writes each batch as an object of lines, whose name has the time of its first
// message and a digest of its content.
type S3 struct {
	Client *minio.Client
	Bucket string
	Prefix string
}

// Send implements Sink. A batch that is repeated as it was is the same object.
func (s S3) Send(ctx context.Context, batch []Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	body := lines(batch)
	name := fmt.Sprintf("%s%s-%.16x.ndjson", s.Prefix, batch[0].Time.UTC().Format("2006/01/02/150405.000000000"), sha256.Sum256(body))
	_, err := s.Client.PutObject(ctx, s.Bucket, name, bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
		ContentType: "application/x-ndjson", SendContentMd5: true, DisableContentSha256: false,
	})
	if err != nil {
		return fmt.Errorf("put %s into bucket %s: %w", name, s.Bucket, err)
	}
	return nil
}

// Close implements Sink.
func (S3) Close() error { return nil }
