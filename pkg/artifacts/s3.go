package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/minio/minio-go/v7"
)

// S3 is a Backend in a bucket of S3 or of a server that speaks its protocol.
type S3 struct {
	Client *minio.Client
	Bucket string
	Prefix string // before every name: edrpipe/
}

// partSize is how much of a file lies in memory while it is sent, bytes; with at
// most 10,000 parts a file may have 160 GB.
const partSize = 16 << 20

// Put implements Backend. Each part carries a checksum that the server compares,
// and the whole is read back.
func (s S3) Put(ctx context.Context, name string, r io.Reader) error {
	sent := newStream(r)
	_, err := s.Client.PutObject(ctx, s.Bucket, s.Prefix+name, sent, -1, minio.PutObjectOptions{
		PartSize: partSize, ContentType: "application/octet-stream", SendContentMd5: true, DisableContentSha256: false,
	})
	if err == nil {
		err = s.compare(ctx, name, sent)
	}
	if err != nil {
		return errors.Join(err, s.Delete(context.WithoutCancel(ctx), name)) // not to be left behind, also at shutdown
	}
	return nil
}

func (s S3) compare(ctx context.Context, name string, sent *stream) error {
	kept, err := s.Open(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(sent.compare(kept), kept.Close())
}

// Open implements Backend.
func (s S3) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	object, err := s.Client.GetObject(ctx, s.Bucket, s.Prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.explain(name, err)
	}
	if _, err := object.Stat(); err != nil { // GetObject alone sends no request
		return nil, errors.Join(s.explain(name, err), object.Close())
	}
	return object, nil
}

func (s S3) explain(name string, err error) error {
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return fmt.Errorf("%s in bucket %s: %w", name, s.Bucket, err)
}

// Delete implements Backend.
func (s S3) Delete(ctx context.Context, name string) error {
	err := s.Client.RemoveObject(ctx, s.Bucket, s.Prefix+name, minio.RemoveObjectOptions{})
	if err != nil {
		return s.explain(name, err)
	}
	return nil
}

// List implements Backend.
func (s S3) List(ctx context.Context, visit func(Blob) error) error {
	ctx, stop := context.WithCancel(ctx) // ends the lister when visit does
	defer stop()
	for o := range s.Client.ListObjectsIter(ctx, s.Bucket, minio.ListObjectsOptions{Prefix: s.Prefix, Recursive: true}) {
		if o.Err != nil {
			return fmt.Errorf("list bucket %s: %w", s.Bucket, o.Err)
		}
		if err := visit(Blob{Name: strings.TrimPrefix(o.Key, s.Prefix), Size: o.Size, Time: o.LastModified}); err != nil {
			return err
		}
	}
	return nil
}
