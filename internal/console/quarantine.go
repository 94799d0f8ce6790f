package console

import (
	"context"
	"errors"
	"net/http"

	"edrpipe/internal/quarantine"
	"edrpipe/internal/web"
)

func (c *Console) quarantineRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/quarantine", web.Admin, "Records of the bus that do not verify", func(r *http.Request, _ struct{}) ([]quarantine.Record, error) {
			return c.Quarantine.List(r.Context())
		}),
		web.JSON("POST", "/api/v1/quarantine/drop", web.Admin, "Remove a record that does not verify: what it held starts from an empty record", func(r *http.Request, in web.Quarantined) (web.Nothing, error) {
			return web.Nothing{}, c.DropRecord(r.Context(), web.UserOf(r.Context()), in)
		}),
		web.JSON("POST", "/api/v1/quarantine/restore", web.Admin, "Put the last good record in the place of one that does not verify", func(r *http.Request, in web.Quarantined) (web.Nothing, error) {
			return web.Nothing{}, c.RestoreRecord(r.Context(), web.UserOf(r.Context()), in)
		}),
	}
}

// DropRecord removes a record from quarantine. It is in the audit log before.
func (c *Console) DropRecord(ctx context.Context, by web.User, in web.Quarantined) error {
	if err := c.note(ctx, by, "drop record "+in.Bucket+" "+in.Key, "", in.Why); err != nil {
		return err
	}
	return refusedRecord(c.Quarantine.Drop(ctx, in.Bucket, in.Key))
}

// RestoreRecord replaces a record in quarantine. It is in the audit log before.
func (c *Console) RestoreRecord(ctx context.Context, by web.User, in web.Quarantined) error {
	what := "restore record "
	if in.AsIs {
		what = "keep record "
	}
	if err := c.note(ctx, by, what+in.Bucket+" "+in.Key, "", in.Why); err != nil {
		return err
	}
	return refusedRecord(c.Quarantine.Restore(ctx, in.Bucket, in.Key, in.AsIs))
}

// refusedRecord says whose fault an error is.
func refusedRecord(err error) error {
	switch {
	case errors.Is(err, quarantine.ErrNotThere):
		return errors.Join(web.ErrNotFound, err)
	case errors.Is(err, quarantine.ErrNoCopy), errors.Is(err, quarantine.ErrNoRecord):
		return errors.Join(web.ErrBadRequest, err)
	}
	return err
}
