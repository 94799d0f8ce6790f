package edrsim

import (
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds JSON request bodies.
const maxBody = 4 << 20

// An apiError is an answer that is no success. Its text is the body.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

func badRequest(err error) error { return &apiError{http.StatusBadRequest, err.Error()} }

// An endpointFunc answers one route.
type endpointFunc func(w http.ResponseWriter, r *http.Request) error

// routes is the whole API.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	api := func(pattern string, f endpointFunc) { mux.Handle(pattern, s.answer(f)) }
	cblr := func(pattern string, f endpointFunc) { api(pattern, s.liveResponse(f)) }

	api("GET /api/info", s.getInfo)
	api("GET /api/v1/license", s.getLicence)
	api("POST /api/v1/license", s.postLicence)
	api("GET /api/v1/storage/events/partition", s.getPartitions)
	api("GET /api/v1/watchlist", s.getWatchlists)
	api("GET /api/group", s.listGroups)
	api("GET /api/group/{id}", s.getGroup)
	api("GET /api/v1/group", s.listGroups)
	api("GET /api/v1/group/{id}", s.getGroup)

	api("GET /api/v1/sensor", s.listSensors)
	api("GET /api/v2/sensor", s.pageSensors)
	api("GET /api/v1/sensor/statistics", s.sensorTotals)
	api("GET /api/v1/sensor/{id}", s.getSensor)
	api("PUT /api/v1/sensor/{id}", s.putSensor)
	api("GET /api/v1/sensor/{id}/{series}", s.sensorSeries)

	cblr("GET /api/v1/cblr/session", s.listSessions)
	cblr("POST /api/v1/cblr/session", s.openSession)
	cblr("GET /api/v1/cblr/session/{sid}", s.getSession)
	cblr("PUT /api/v1/cblr/session/{sid}", s.putSession)
	cblr("GET /api/v1/cblr/session/{sid}/keepalive", s.keepAlive)
	cblr("GET /api/v1/cblr/session/{sid}/archive", s.archive)
	cblr("GET /api/v1/cblr/session/{sid}/command", s.listCommands)
	cblr("POST /api/v1/cblr/session/{sid}/command", s.postCommand)
	cblr("GET /api/v1/cblr/session/{sid}/command/{cid}", s.getCommand)
	cblr("PUT /api/v1/cblr/session/{sid}/command/{cid}", s.putCommand)
	cblr("GET /api/v1/cblr/session/{sid}/file", s.listFiles)
	cblr("POST /api/v1/cblr/session/{sid}/file", s.uploadFile)
	cblr("GET /api/v1/cblr/session/{sid}/file/{fid}", s.getFile)
	cblr("PUT /api/v1/cblr/session/{sid}/file/{fid}", s.putFile)
	cblr("DELETE /api/v1/cblr/session/{sid}/file/{fid}", s.deleteFile)
	cblr("GET /api/v1/cblr/session/{sid}/file/{fid}/content", s.fileContent)

	api("GET /api/v2/alert", s.listAlerts)
	api("POST /api/v1/alert/{id}", s.postAlert)

	api("GET /api/v1/binary/{md5}/summary", s.getBinary)

	api("GET /api/v1/banning/blacklist", s.listBans)
	api("POST /api/v1/banning/blacklist", s.postBan)
	api("GET /api/v1/banning/blacklist/{md5}", s.getBan)
	api("PUT /api/v1/banning/blacklist/{md5}", s.putBan)
	api("DELETE /api/v1/banning/blacklist/{md5}", s.deleteBan)

	s.controlRoutes(mux)
	return mux
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.commonHeaders(w.Header())
	if len(r.URL.Path) > 1 {
		r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
	}
	if s.cloud != nil && s.cloud.serveStorage(w, r) {
		return
	}
	if !s.authorized(r) {
		s.refuseToken(w)
		return
	}
	_, pattern := s.mux.Handler(r)
	if strings.HasPrefix(r.URL.Path, "/_sim") {
		s.mux.ServeHTTP(w, r)
		return
	}
	s.counters.request(pattern, r.Method)
	if s.cloud != nil && s.cloud.limitRate(w, r) {
		return
	}
	s.faults.serve(s, w, r, pattern)
}

func (s *Server) refuseToken(w http.ResponseWriter) {
	if s.cloud != nil {
		writeCloudError(w, &cloudError{http.StatusUnauthorized, "UNAUTHORIZED", "The API key is unknown or wrong", nil})
		return
	}
	http.Error(w, "Authentication required", http.StatusUnauthorized)
}

// authorized compares the token without telling by its time how much was right.
func (s *Server) authorized(r *http.Request) bool {
	return subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Auth-Token")), []byte(s.Token)) == 1
}

// commonHeaders is what the web server in front adds to everything.
func (s *Server) commonHeaders(h http.Header) {
	if s.cloud != nil {
		h.Set("Cache-Control", "no-store")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		return
	}
	h.Set("Server", "openresty")
	h.Set("Cache-Control", "max-age=0")
	h.Set("X-Frame-Options", "DENY")
	if s.as.version == "5.1" {
		h.Set("Server", "nginx")
		return
	}
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("X-Content-Type-Options", "nosniff")
}

// answer makes a handler of f: what it returns becomes the error's answer.
func (s *Server) answer(f endpointFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		var api *apiError
		switch {
		case err == nil:
		case s.cloud != nil && r.Context().Err() == nil:
			writeCloudError(w, asCloudError(err))
		case errors.As(err, &api):
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(api.status)
			io.WriteString(w, api.text)
		case r.Context().Err() != nil: // the client has left
			panic(http.ErrAbortHandler)
		default:
			http.Error(w, "Internal Server Error: "+err.Error(), http.StatusInternalServerError)
		}
	})
}

// liveResponse guards the routes that answer 412 when Live Response is disabled.
func (s *Server) liveResponse(f endpointFunc) endpointFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.as.cblr == "disabled" {
			return &apiError{http.StatusPreconditionFailed, "Live Response is disabled"}
		}
		return f(w, r)
	}
}

// reply writes v as JSON, compressed for clients that offer it.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if t, ok := w.(interface{ truncate([]byte) []byte }); ok {
		body = t.truncate(body)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if s.as.gzip == "off" || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		_, err := w.Write(body)
		return ignoreGone(r, err)
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	z.Write(body) // its error comes again from Close
	return ignoreGone(r, z.Close())
}

// ignoreGone drops the error of writing to a client that has left.
func ignoreGone(r *http.Request, err error) error {
	if r.Context().Err() != nil {
		return nil
	}
	return err
}

// readJSON decodes a body of any content type; clients often send none.
func readJSON(r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return badRequest(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return badRequest(fmt.Errorf("request body: %w", err))
	}
	return nil
}

// pathNumber is an id in the path; text that is no number is an unknown id.
func pathNumber(r *http.Request, name string) int {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil {
		return -1
	}
	return n
}

// wantsWait reports whether the client asks for a long poll.
func wantsWait(r *http.Request) bool {
	ok, _ := strconv.ParseBool(strings.ToLower(r.URL.Query().Get("wait")))
	return ok
}

// gatewayPage is the error page of a proxy whose backend does not answer.
func gatewayPage(status int) string {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return "<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text + "</h1></center>\r\n<hr><center>openresty</center>\r\n</body>\r\n</html>\r\n"
}

// sleep waits in real time, unless ctx ends first.
func sleepReal(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}
