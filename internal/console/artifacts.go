package console

import (
	"context"
	"io"

	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/artifacts"
)

// Artifacts implements web.Service.
func (c *Console) Artifacts(ctx context.Context, q web.ArtifactQuery) ([]actions.Artifact, error) {
	return c.Files(ctx, artifacts.Filter{Job: q.Job, Last: q.Limit})
}

// Files lists collected files, newest first.
func (c *Console) Files(ctx context.Context, f artifacts.Filter) ([]actions.Artifact, error) {
	records, err := c.Config.Artifacts.List(ctx, f)
	if err != nil {
		return nil, err
	}
	list := make([]actions.Artifact, len(records))
	for i, r := range records {
		list[len(records)-1-i] = r.Artifact
	}
	return list, nil
}

// Artifact implements web.Service. An encrypted file is given as it is stored:
// the service cannot read it, only whoever has the key.
func (c *Console) Artifact(ctx context.Context, id string) (actions.Artifact, io.ReadCloser, error) {
	rec, err := c.Config.Artifacts.Get(ctx, id)
	if err != nil {
		return actions.Artifact{}, nil, err
	}
	if rec.Encrypted {
		body, rec, err := c.Config.Artifacts.OpenStored(ctx, id)
		a := rec.Artifact
		a.Name, a.Size, a.SHA256 = a.Name+".age", rec.StoredSize, rec.StoredSHA256
		return a, body, err
	}
	body, rec, err := c.Config.Artifacts.Open(ctx, id)
	return rec.Artifact, body, err
}
