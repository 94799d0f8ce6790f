package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refusal is an answer other than 200.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

var (
	errNoReader = refuse(http.StatusServiceUnavailable, "events are not being read now")
	errBusy     = refuse(http.StatusServiceUnavailable, "too many posts at once")
	errNoToken  = refuse(http.StatusUnauthorized, "a token is needed: Authorization: Bearer … or Splunk …")
	errToken    = refuse(http.StatusForbidden, "the token is not valid")
	errNoEvent  = refuse(http.StatusBadRequest, "there is no event in the body")
)

// ServeHTTP takes one post.
func (s *Source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var reply protocol = plain{}
	if at, ok := collectorPath(r.URL.Path); ok {
		if collectorQuestion(w, r, at) {
			return
		}
		reply = hec{}
	}
	a, err := s.take(w, r, reply)
	if err == nil {
		reply.accepted(w, a)
		return
	}
	var no *refusal
	if !errors.As(err, &no) {
		no = &refusal{http.StatusServiceUnavailable, "the events could not be stored now"}
	}
	level := s.c.Log.Warn()
	if no.status == http.StatusServiceUnavailable {
		level = s.c.Log.Info()
	}
	level.Err(err).Int("status", no.status).Str("from", r.RemoteAddr).Msg("post refused")
	switch no.status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(s.c.RetryIn.Round(time.Second)/time.Second))))
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="events"`)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "POST, PUT")
	}
	reply.refused(w, no)
}

// take reads a post and waits until its events are safe.
func (s *Source) take(w http.ResponseWriter, r *http.Request, p protocol) (accepted, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return accepted{}, refuse(http.StatusMethodNotAllowed, "events are posted, not asked for")
	}
	if !s.allowed(r) {
		if r.Header.Get("Authorization") == "" {
			return accepted{}, errNoToken
		}
		return accepted{}, errToken
	}
	reader := s.enter()
	if reader == nil {
		return accepted{}, errNoReader
	}
	defer reader.posts.Done()

	body, release, err := s.read(w, r)
	delivered := false // then the memory is free when the events are settled, however long the client waits
	defer func() {
		if !delivered {
			release()
		}
	}()
	if err != nil {
		return accepted{}, err
	}
	messages, id, err := p.messages(r, body)
	if err != nil || len(messages) == 0 {
		return accepted{}, err // none: a heartbeat
	}
	for i := range messages {
		messages[i].Transport, messages[i].Server, messages[i].Received = "http", s.c.Server, time.Now()
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.c.Patience)
	defer cancel()
	a := p.describe(messages)
	return a, s.posts.once(ctx, id, func(done func(error)) {
		delivered = true
		reader.deliver(messages, func(err error) { release(); done(err) })
	})
}

// collectorPath finds the place of a Splunk collector at the end of a path.
func collectorPath(path string) (at string, ok bool) {
	i := strings.LastIndex(path, "/services/collector")
	if i < 0 {
		return "", false
	}
	at = strings.Trim(path[i+len("/services/collector"):], "/")
	switch at {
	case "", "event", "event/1.0", "raw", "raw/1.0", "health", "health/1.0", "ack":
		return at, true
	}
	return "", false
}
