package lr

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"edrpipe/pkg/edr"
)

// Routes and states of alerts: alerts are searched by version 2 of the API and changed
// by version 1.
const (
	alertSearchPath = "/api/v2/alert"
	alertPath       = "/api/v1/alert"

	alertResolved      = "Resolved"
	alertFalsePositive = "False Positive"
)

type alertJSON struct {
	ID     text `json:"unique_id"`
	Status text `json:"status"`
}

// CloseAlert resolves one alert, by its unique_id. It becomes a false positive for that
// determination or the reason RESOLVED_BENIGN_KNOWN_GOOD; the server has no other
// reasons and no notes, so both are left to the job's record. An alert that a person
// has closed, in either way, is left as it is.
func (c *Client) CloseAlert(ctx context.Context, id string, how edr.AlertClosing) error {
	alert, err := c.alert(ctx, id)
	if err != nil {
		return err
	}
	if s := string(alert.Status); s == alertResolved || s == alertFalsePositive {
		return nil
	}
	status := alertResolved
	if how.Determination == "FALSE_POSITIVE" || how.Reason == "RESOLVED_BENIGN_KNOWN_GOOD" {
		status = alertFalsePositive
	}
	return c.do(ctx, call{
		method: http.MethodPost, path: alertPath + "/" + url.PathEscape(id), repeat: true,
		body: map[string]string{"unique_id": id, "status": status},
	})
}

// alert reads one alert. The server has no route for it, only the search.
func (c *Client) alert(ctx context.Context, id string) (alertJSON, error) {
	var got struct {
		Results list[alertJSON] `json:"results"`
	}
	err := c.do(ctx, call{
		method: http.MethodGet, path: alertSearchPath, query: url.Values{"cb.fq.unique_id": {id}}, out: &got, repeat: true,
	})
	if err != nil {
		return alertJSON{}, err
	}
	// Solr's field queries match words: the id itself decides.
	at := slices.IndexFunc(got.Results, func(a alertJSON) bool { return string(a.ID) == id })
	if at < 0 {
		return alertJSON{}, &Error{Where: edr.Where{Name: "read alert", Object: id}, Status: http.StatusOK, Kind: ErrNotFound, Reason: "no alert has this id"}
	}
	return got.Results[at], nil
}

var _ edr.AlertCloser = (*Client)(nil)
