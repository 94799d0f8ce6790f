package console

import (
	"context"
	"errors"
	"io"
	"net/http"

	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/artifacts"
)

func (c *Console) artifactRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/artifacts", web.Viewer, "Collected files, newest first", func(r *http.Request, _ struct{}) ([]actions.Artifact, error) {
			n, err := web.Limit(r, "limit")
			if err != nil {
				return nil, err
			}
			return c.Files(r.Context(), artifacts.Filter{Job: r.URL.Query().Get("job"), Last: n})
		}, "job", "limit"),
		web.Raw("GET", "/api/v1/artifacts/{id}", web.Approver, web.Download{Open: c.openFile, Log: c.Log}),
	}
}

// Files lists collected files, newest first. Those whose records cannot be read are in
// quarantine, and not in the list.
func (c *Console) Files(ctx context.Context, f artifacts.Filter) ([]actions.Artifact, error) {
	records, err := c.Artifacts.List(ctx, f)
	var broken *artifacts.Broken
	if errors.As(err, &broken) {
		c.Log.Error().Err(broken).Msg("collected files are not shown: see pipeline state quarantine list")
		err = nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]actions.Artifact, len(records))
	for i, r := range records {
		list[len(records)-1-i] = r.Artifact
	}
	return list, nil
}

// openFile opens a collected file. An encrypted one is opened as it is stored: only
// the holder of the key can read it.
func (c *Console) openFile(ctx context.Context, id string) (actions.Artifact, io.ReadCloser, error) {
	rec, err := c.Artifacts.Get(ctx, id)
	if err != nil {
		return actions.Artifact{}, nil, err
	}
	if rec.Encrypted {
		body, rec, err := c.Artifacts.OpenStored(ctx, id)
		a := rec.Artifact
		a.Name, a.Size, a.SHA256 = a.Name+".age", rec.StoredSize, rec.StoredSHA256
		return a, body, err
	}
	body, rec, err := c.Artifacts.Open(ctx, id)
	return rec.Artifact, body, err
}
