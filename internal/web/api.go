package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/jobs"
)

// maxBody bounds what the API reads of a request.
const maxBody = 4 << 20

// ErrBadRequest marks errors that are the caller's.
var ErrBadRequest = errors.New("bad request")

// ErrNotFound marks what is not there.
var ErrNotFound = errors.New("not found")

// route is one call of the API; the OpenAPI document is made from the same list.
type route struct {
	method, path string
	role         Role
	summary      string
	query        []string // names of query parameters
	in, out      reflect.Type
	do           func(*http.Request) (any, error)
}

// call makes a route whose handler takes a decoded body; struct{} means none.
func call[In, Out any](method, path string, role Role, summary string, do func(*http.Request, In) (Out, error), query ...string) route {
	return route{
		method: method, path: path, role: role, summary: summary, query: query,
		in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		do: func(r *http.Request) (any, error) {
			var in In
			if reflect.TypeFor[In]() != reflect.TypeFor[struct{}]() {
				if err := decode(r, &in); err != nil {
					return nil, err
				}
			}
			return do(r, in)
		},
	}
}

func decode(r *http.Request, v any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return errors.Join(ErrBadRequest, err)
	}
	return nil
}

// nothing is the answer of calls that only do something.
type nothing struct{}

// reasonBody is the body of calls that only want to know why.
type reasonBody struct {
	Why string `json:"why,omitempty"`
}

// api lists every call.
func api(s Service) []route {
	return []route{
		call("GET", "/api/v1/me", Viewer, "Who am I", func(r *http.Request, _ struct{}) (map[string]string, error) {
			u := userOf(r.Context())
			return map[string]string{"name": u.Name, "role": string(u.Role)}, nil
		}),
		call("GET", "/api/v1/overview", Viewer, "The state of everything", func(r *http.Request, _ struct{}) (Overview, error) {
			return s.Overview(r.Context())
		}),
		call("GET", "/api/v1/jobs", Viewer, "Jobs, newest first", func(r *http.Request, _ struct{}) ([]JobLine, error) {
			q, err := jobQuery(r)
			if err != nil {
				return nil, err
			}
			return s.Jobs(r.Context(), q)
		}, "state", "rule", "sensor", "since", "limit"),
		call("POST", "/api/v1/jobs", Admin, "Submit a job", func(r *http.Request, in Submission) (JobLine, error) {
			return s.Submit(r.Context(), userOf(r.Context()), in)
		}),
		call("GET", "/api/v1/jobs/{id}", Viewer, "A job with its steps and history", func(r *http.Request, _ struct{}) (JobPage, error) {
			return s.Job(r.Context(), r.PathValue("id"))
		}),
		call("POST", "/api/v1/jobs/{id}/cancel", Admin, "Cancel a job", func(r *http.Request, in reasonBody) (nothing, error) {
			return nothing{}, s.Cancel(r.Context(), userOf(r.Context()), r.PathValue("id"), in.Why)
		}),
		call("POST", "/api/v1/jobs/{id}/retry", Admin, "Run an ended job again, as a new one", func(r *http.Request, in reasonBody) (JobLine, error) {
			return s.Retry(r.Context(), userOf(r.Context()), r.PathValue("id"), in.Why)
		}),
		call("POST", "/api/v1/jobs/{id}/resolve", Admin, "Say what became of a step whose outcome nobody could tell", func(r *http.Request, in Resolution) (JobLine, error) {
			return s.Resolve(r.Context(), userOf(r.Context()), r.PathValue("id"), in)
		}),
		call("POST", "/api/v1/jobs/{id}/undo", Admin, "Undo what a job did, where that is possible", func(r *http.Request, in reasonBody) ([]string, error) {
			return s.Undo(r.Context(), userOf(r.Context()), r.PathValue("id"), in.Why)
		}),
		call("POST", "/api/v1/jobs/{id}/answer", Approver, "Answer an approval", func(r *http.Request, in Answer) (nothing, error) {
			return nothing{}, s.Answer(r.Context(), userOf(r.Context()), r.PathValue("id"), in)
		}),
		call("GET", "/api/v1/rules", Viewer, "Rules in force", func(r *http.Request, _ struct{}) (RulesPage, error) { return s.Rules(r.Context()) }),
		call("GET", "/api/v1/sensors", Viewer, "Sensors, and our queue for each", func(r *http.Request, _ struct{}) (SensorsPage, error) {
			q, err := sensorQuery(r)
			if err != nil {
				return SensorsPage{}, err
			}
			return s.Sensors(r.Context(), q)
		}, "q", "busy", "limit", "offset"),
		call("GET", "/api/v1/guards", Viewer, "Guards, budgets, silences", func(r *http.Request, _ struct{}) (GuardsPage, error) { return s.Guards(r.Context()) }),
		call("POST", "/api/v1/stop", Approver, "Start nothing new, on all replicas", func(r *http.Request, in reasonBody) (nothing, error) {
			return nothing{}, s.Stop(r.Context(), userOf(r.Context()), in.Why)
		}),
		call("POST", "/api/v1/resume", Approver, "Go on after a stop", func(r *http.Request, in reasonBody) (nothing, error) {
			return nothing{}, s.Resume(r.Context(), userOf(r.Context()), in.Why)
		}),
		call("POST", "/api/v1/silences", Approver, "Keep a rule, a sensor or an action from acting for a while", func(r *http.Request, in Silence) (Silence, error) {
			return s.Silence(r.Context(), userOf(r.Context()), in)
		}),
		call("DELETE", "/api/v1/silences/{id}", Approver, "End a silence", func(r *http.Request, _ struct{}) (nothing, error) {
			return nothing{}, s.Unsilence(r.Context(), userOf(r.Context()), r.PathValue("id"))
		}),
		call("GET", "/api/v1/audit", Admin, "The newest entries of the audit log", func(r *http.Request, _ struct{}) ([]json.RawMessage, error) {
			n, err := limit(r, "last")
			if err != nil {
				return nil, err
			}
			return s.Audit(r.Context(), n)
		}, "last"),
		call("GET", "/api/v1/audit/verify", Admin, "Prove that nothing was changed or taken out of the audit log", func(r *http.Request, _ struct{}) (AuditReport, error) {
			noted, err := heads(r)
			if err != nil {
				return AuditReport{}, err
			}
			return s.VerifyAudit(r.Context(), noted)
		}, "noted"),
		call("GET", "/api/v1/why", Viewer, "What became of an event, a job or a sensor, and why", func(r *http.Request, _ struct{}) (Why, error) {
			return s.Why(r.Context(), r.URL.Query().Get("about"))
		}, "about"),
		call("GET", "/api/v1/artifacts", Viewer, "Collected files, newest first", func(r *http.Request, _ struct{}) ([]actions.Artifact, error) {
			n, err := limit(r, "limit")
			if err != nil {
				return nil, err
			}
			return s.Artifacts(r.Context(), ArtifactQuery{Job: r.URL.Query().Get("job"), Limit: n})
		}, "job", "limit"),
	}
}

func (rt route) serve(w http.ResponseWriter, r *http.Request) {
	out, err := rt.do(r)
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, out)
	case errors.Is(err, ErrBadRequest):
		writeError(w, http.StatusBadRequest, strings.TrimPrefix(err.Error(), ErrBadRequest.Error()+"\n"))
	case errors.Is(err, ErrNotFound) || errors.Is(err, jobs.ErrNoJob) || errors.Is(err, fs.ErrNotExist):
		writeError(w, http.StatusNotFound, err.Error())
	case errors.Is(err, jobs.ErrRefused):
		writeError(w, http.StatusConflict, err.Error())
	case errors.Is(err, context.Canceled):
		writeError(w, http.StatusServiceUnavailable, "the service is shutting down")
	default:
		writeError(w, http.StatusInternalServerError, err.Error())
	}
}

func jobQuery(r *http.Request) (JobQuery, error) {
	v := r.URL.Query()
	q := JobQuery{State: v.Get("state"), Rule: v.Get("rule")}
	var err error
	if q.Sensor, err = number(r, "sensor", 0); err != nil {
		return q, err
	}
	if q.Limit, err = limit(r, "limit"); err != nil {
		return q, err
	}
	if s := v.Get("since"); s != "" {
		if q.Since, err = time.Parse(time.RFC3339, s); err != nil {
			return q, errors.Join(ErrBadRequest, errors.New("since: write a time such as 2026-01-31T12:00:00Z"))
		}
	}
	return q, nil
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
			return nil, errors.Join(ErrBadRequest, err)
		}
		all = append(all, h)
	}
	return all, nil
}

func sensorQuery(r *http.Request) (SensorQuery, error) {
	v := r.URL.Query()
	q := SensorQuery{Text: v.Get("q"), Busy: v.Get("busy") != ""}
	var err error
	if q.Limit, err = limit(r, "limit"); err != nil {
		return q, err
	}
	q.Offset, err = number(r, "offset", 0)
	return q, err
}

// limit reads how long a list shall be: 200 unless told, MaxList at the most.
func limit(r *http.Request, name string) (int, error) {
	n, err := number(r, name, 200)
	if err == nil && (n == 0 || n > MaxList) {
		n = MaxList
	}
	return n, err
}

func number(r *http.Request, name string, otherwise int) (int, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, errors.Join(ErrBadRequest, errors.New(name+": "+strconv.Quote(s)+" is not a number"))
	}
	return n, nil
}
