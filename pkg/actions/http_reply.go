package actions

import (
	"context"
	"io"
	"net/http"
	"strings"

	"edrpipe/pkg/events"
)

// read takes the begin of the reply, as much as a job's record may hold. With an
// error the receiver has answered nonetheless, and what has come is kept. It
// returns the bytes that it took.
func (o *HTTPOutput) read(resp *http.Response) (text []byte, err error) {
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	o.Status, o.Truncated = resp.StatusCode, err != nil || len(text) > maxBody
	if o.Truncated {
		o.Body = strings.ToValidUTF8(string(text[:min(len(text), maxExcerpt)]), "\uFFFD")
		return text, err
	}
	if o.Body, err = events.DecodeJSON(text); err != nil {
		o.Body = strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return text, nil
}

// keepReply stores a reply that is too large for the record. The request has been
// acted on: a reply that cannot be kept does not make it undone.
func (t *Task) keepReply(ctx context.Context, p HTTPParams, start []byte, rest io.Reader, out *HTTPOutput) {
	if len(start) <= maxBody || t.Artifacts == nil {
		return
	}
	a := Artifact{Name: "reply-" + safeName(hostOf(p.URL)), Path: hostOf(p.URL)}
	kept, err := t.keep(ctx, a, func(w io.Writer) error {
		if _, err := w.Write(start); err != nil {
			return err
		}
		_, err := io.Copy(w, io.LimitReader(rest, int64(maxReply-len(start))))
		return err
	})
	if err != nil {
		t.Log.Warn().Err(redact(err)).Str("host", hostOf(p.URL)).Msg("the reply is too large for the job's record and could not be stored as an artifact; its begin is in the output")
		return
	}
	out.Artifact = kept
}
