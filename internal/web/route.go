package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"edrpipe/pkg/jobs"
)

// maxBody bounds what the API reads of a request.
const maxBody = 4 << 20

// ErrBadRequest marks errors that are the caller's.
var ErrBadRequest = errors.New("bad request")

// ErrNotFound marks what is not there.
var ErrNotFound = errors.New("not found")

// Route is one call of the API: what a page shows or does, and the role that it
// needs. The OpenAPI document is made from the same values.
type Route struct {
	Method, Path string
	Role         Role
	summary      string
	query        []string // names of query parameters
	in, out      reflect.Type
	do           func(*http.Request) (any, error)

	raw http.Handler // answers with something else than JSON, over HTTP only

	tenants bool // it shows a user of some tenants what is theirs; other routes are not for such users
}

// ByTenant makes the route one that users of some tenants may use: what it shows and does
// is limited to theirs.
func (rt Route) ByTenant() Route {
	rt.tenants = true
	return rt
}

// Raw makes a route that answers with something else than JSON.
func Raw(method, path string, role Role, h http.Handler) Route {
	return Route{Method: method, Path: path, Role: role, raw: h}
}

// JSON makes a route whose handler takes a decoded body; struct{} means none.
func JSON[In, Out any](method, path string, role Role, summary string, do func(*http.Request, In) (Out, error), query ...string) Route {
	return Route{
		Method: method, Path: path, Role: role, summary: summary, query: query,
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

// decode reads a body strictly: one JSON value of known fields, or nothing at all.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	switch err := d.Decode(v); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return errors.Join(ErrBadRequest, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.Join(ErrBadRequest, errors.New("the body goes on after its JSON value"))
	}
	return nil
}

// ofAll keeps users of some tenants from what is of all.
func ofAll(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := UserOf(r.Context()); u.Limited() {
			writeError(w, http.StatusForbidden, u.Name+" is limited to the tenants "+strings.Join(u.Tenants, ", ")+", and this is of all")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Nothing is the answer of calls that only do something.
type Nothing struct{}

// Reason is the body of calls that take only a reason.
type Reason struct {
	Why string `json:"why,omitempty"`
}

// ServeHTTP implements http.Handler; the caller has checked the role.
func (rt Route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !rt.tenants && UserOf(r.Context()).Limited() {
		ofAll(nil).ServeHTTP(w, r)
		return
	}
	if rt.raw != nil {
		rt.raw.ServeHTTP(w, r)
		return
	}
	out, err := rt.do(r)
	if err != nil {
		refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// refuse answers with an error, and a status that says whose it is.
func refuse(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit))
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

// Limit reads the length of a list from a query: 200 by default, MaxList at the most.
func Limit(r *http.Request, name string) (int, error) {
	n, err := Number(r, name, 200)
	if err == nil && (n == 0 || n > MaxList) {
		n = MaxList
	}
	return n, err
}

// Number reads a whole number from a query; otherwise is its default.
func Number(r *http.Request, name string, otherwise int) (int, error) {
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
