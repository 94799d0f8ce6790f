package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"edrpipe/internal/web"
	"edrpipe/pkg/audit"
)

func (c *Console) auditRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/audit", web.Admin, "The newest entries of the audit log", func(r *http.Request, _ struct{}) ([]json.RawMessage, error) {
			n, err := web.Limit(r, "last")
			if err != nil {
				return nil, err
			}
			return c.AuditTail(r.Context(), n)
		}, "last"),
		web.JSON("GET", "/api/v1/audit/verify", web.Admin, "Prove that nothing was changed or taken out of the audit log", func(r *http.Request, _ struct{}) (web.AuditReport, error) {
			noted, err := heads(r)
			if err != nil {
				return web.AuditReport{}, err
			}
			return c.Verify(r.Context(), noted)
		}, "noted"),
	}
}

// heads reads the entries that people noted: 123:ab45…, several parted by commas.
func heads(r *http.Request) ([]audit.Head, error) {
	var all []audit.Head
	for text := range strings.SplitSeq(r.URL.Query().Get("noted"), ",") {
		if text == "" {
			continue
		}
		h, err := audit.ParseHead(text)
		if err != nil {
			return nil, errors.Join(web.ErrBadRequest, err)
		}
		all = append(all, h)
	}
	return all, nil
}

// AuditTail returns the last entries of the audit log.
func (c *Console) AuditTail(ctx context.Context, last int) ([]json.RawMessage, error) {
	var tail []json.RawMessage
	err := audit.Read(ctx, c.AuditStream, c.AuditKey, func(e audit.Entry) error {
		b, err := json.Marshal(e)
		tail = append(tail, b)
		if len(tail) > 2*last+100 {
			tail = slices.Clone(tail[len(tail)-last:])
		}
		return err
	})
	return tail[max(0, len(tail)-last):], err
}

// Verify proves that nothing was changed or taken out of the audit log, and that it
// has the entries that were noted.
func (c *Console) Verify(ctx context.Context, noted []audit.Head) (web.AuditReport, error) {
	r, err := c.VerifyAudit(ctx, noted...)
	report := web.AuditReport{Good: err == nil, Entries: r.Entries, Head: r.Head.Hash, Foreign: len(r.Foreign)}
	var damage *audit.Damage
	if errors.As(err, &damage) {
		report.Damage, err = damage.Error(), nil
	}
	return report, err
}
