package cbc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
)

// An Alert is one alert, whole: Raw is its JSON as the server sent it.
type Alert struct {
	ID      string
	Status  string    // OPEN, IN_PROGRESS, CLOSED
	Raised  time.Time // backend_timestamp
	Updated time.Time // backend_update_timestamp
	Raw     json.RawMessage
}

// UnmarshalJSON reads what decisions need and keeps the rest.
func (a *Alert) UnmarshalJSON(b []byte) error {
	var in struct {
		ID       text   `json:"id"`
		Raised   moment `json:"backend_timestamp"`
		Updated  moment `json:"backend_update_timestamp"`
		Workflow struct {
			Status text `json:"status"`
		} `json:"workflow"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*a = Alert{string(in.ID), string(in.Workflow.Status), in.Raised.Time, in.Updated.Time, append(json.RawMessage(nil), b...)}
	if a.Updated.IsZero() {
		a.Updated = a.Raised
	}
	return nil
}

// AlertQuery selects alerts by a time, both ends included.
type AlertQuery struct {
	Start, End time.Time
	// Updates selects by the time of the last change, so that alerts which changed
	// come again; otherwise by the time at which they were raised. An alert that was
	// raised more than Horizon before Start is not found by its change; 0 means 14 days.
	Updates bool
	Horizon time.Duration
	Rows    int // 0 means 10,000, the most that the server returns
}

// SearchAlerts returns one page of alerts, oldest first, and how many there are. More
// than a page is read by another query that starts at the last one's time.
func (c *Client) SearchAlerts(ctx context.Context, q AlertQuery) (page []Alert, found int, err error) {
	if q.Rows == 0 {
		q.Rows = maxRows
	}
	field, window := "backend_timestamp", map[string]string{"start": stamp(q.Start), "end": stamp(q.End)}
	body := map[string]any{"time_range": window, "rows": q.Rows}
	if q.Updates {
		if q.Horizon == 0 {
			q.Horizon = 14 * 24 * time.Hour
		}
		field = "backend_update_timestamp"
		body["time_range"] = map[string]string{"start": stamp(q.Start.Add(-q.Horizon)), "end": stamp(q.End)}
		body["criteria"] = map[string]any{field: window}
	}
	body["sort"] = []map[string]string{{"field": field, "order": "ASC"}}
	var got struct {
		Results list[Alert] `json:"results"`
		Found   number      `json:"num_found"`
	}
	err = c.do(ctx, call{method: http.MethodPost, path: c.alerts("/_search"), body: body, out: &got, repeat: true})
	return got.Results, int(got.Found), err
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Alert returns one alert, or ErrNotFound.
func (c *Client) Alert(ctx context.Context, id string) (Alert, error) {
	if id == "" {
		return Alert{}, errors.New("an alert's id is empty")
	}
	var got Alert
	err := c.do(ctx, call{method: http.MethodGet, path: c.alerts("/" + url.PathEscape(id)), out: &got, repeat: true})
	if err == nil && got.ID != id {
		err = &Error{Kind: edr.ErrServer, Reason: fmt.Sprintf("asked for alert %.80q, got %.80q", id, got.ID)}
	}
	return got, err
}

// CloseAlert closes one alert and blocks until the server has done it. Closing one
// that is closed is no error.
func (c *Client) CloseAlert(ctx context.Context, id string, how edr.AlertClosing) error {
	now, err := c.Alert(ctx, id)
	if err != nil {
		return err
	}
	if strings.EqualFold(now.Status, "CLOSED") {
		return nil
	}
	body := map[string]any{"criteria": map[string]any{"id": []string{id}}, "status": "CLOSED"}
	for field, value := range map[string]string{"closure_reason": how.Reason, "determination": how.Determination, "note": how.Note} {
		if value != "" {
			body[field] = value
		}
	}
	var job struct {
		ID text `json:"request_id"`
	}
	err = c.do(ctx, call{method: http.MethodPost, path: c.alerts("/workflow"), body: body, out: &job})
	if err != nil {
		return c.closedAnyway(ctx, id, err)
	}
	if job.ID == "" {
		return &Error{Kind: edr.ErrServer, Reason: "answer to closing an alert names no job"}
	}
	return c.awaitJob(ctx, string(job.ID), id)
}

// closedAnyway reads whether a request without an answer was carried out.
func (c *Client) closedAnyway(ctx context.Context, id string, cause error) error {
	var e *Error
	if errors.As(cause, &e) && e.Status >= 400 && e.Status < 500 {
		return cause
	}
	now, err := c.Alert(ctx, id)
	if err == nil && strings.EqualFold(now.Status, "CLOSED") {
		return nil
	}
	return cause
}

type jobJSON struct {
	Status   text `json:"status"`
	Progress struct {
		Total     number `json:"num_total"`
		Completed number `json:"num_completed"`
	} `json:"progress"`
}

// awaitJob blocks until a change of one alert is done. A new job may not be visible
// for a while.
func (c *Client) awaitJob(ctx context.Context, job, alert string) error {
	const unseen = 3
	missing := 0
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		var got jobJSON
		err := c.do(ctx, call{method: http.MethodGet, path: c.jobs("/" + url.PathEscape(job)), out: &got, repeat: true})
		switch {
		case errors.Is(err, ErrNotFound) && missing < unseen:
			missing++
		case err != nil:
			return err
		case strings.EqualFold(string(got.Status), "FAILED"):
			return &Error{Kind: edr.ErrServer, Reason: "the server's job " + job + " to close alert " + alert + " failed"}
		case strings.EqualFold(string(got.Status), "COMPLETED"):
			if got.Progress.Total == 0 {
				return fmt.Errorf("close alert %s: %w", alert, ErrNotFound)
			}
			return nil
		}
		if err := pace.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("close alert %s: wait for the server's job %s: %w", alert, job, err)
		}
	}
}

// NoteAlert adds a note to one alert, unless the alert has one with the same text.
func (c *Client) NoteAlert(ctx context.Context, id, note string) error {
	if id == "" || strings.TrimSpace(note) == "" {
		return errors.New("a note on an alert needs the alert's id and a text")
	}
	path := c.alerts("/" + url.PathEscape(id) + "/notes")
	for try := 1; ; try++ {
		var got struct {
			Results list[struct {
				Note text `json:"note"`
			}] `json:"results"`
		}
		if err := c.do(ctx, call{method: http.MethodGet, path: path, out: &got, repeat: true}); err != nil {
			return err
		}
		for _, n := range got.Results {
			if string(n.Note) == note {
				return nil
			}
		}
		err := c.do(ctx, call{method: http.MethodPost, path: path, body: map[string]string{"note": note}})
		var e *Error
		if err == nil || !errors.As(err, &e) || e.Status != 0 && e.Status < 500 || try >= c.cfg.Tries || ctx.Err() != nil {
			return err
		}
	}
}
