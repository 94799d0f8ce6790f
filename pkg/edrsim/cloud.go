package edrsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// cloud is the façade of KindCloud: the API of Carbon Black Cloud over the same
// fleet, sessions, commands, faults and counters as the EDR server. The server's
// mutex guards everything in it.
type cloud struct {
	srv    *Server
	quirks Quirks // all, in force
	rate   *rateLimit

	quarantines map[int]bool // requested of a sensor while a quirk drops it
	overrides   []*override
	alerts      []*cloudAlert
	jobs        map[string]*cloudJob
	lastJob     int
	lastNumber  int // of generated ids
}

// Defaults and limits of a Carbon Black Cloud.
const (
	defaultOrgKey   = "A1B2C3D4"
	cloudSlots      = 100
	cloudCheckIn    = 900 * time.Second // how long a session may be pending
	cloudIdle       = 900 * time.Second // after a command
	cloudUnused     = 30 * time.Minute  // of a session that never had a command
	cloudCommands   = 250               // in one session
	cloudCommandMax = 10 << 10          // bytes of a command
	deviceBase      = 6231046           // device ids count from the next number
)

var orgKeyForm = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

func (c Config) withCloudDefaults() Config {
	c.OrgKey = cmp.Or(c.OrgKey, defaultOrgKey)
	c.Slots = cmp.Or(c.Slots, cloudSlots)
	if c.Token == "" {
		token := strings.ToUpper(randomToken())
		c.Token = token[:24] + "/" + token[24:34]
	}
	if len(c.Fleet) == 0 {
		c.Fleet = cloudFleet(max(c.Sensors, 1))
	}
	return c
}

// cloudFleet is n devices: of each five, three Windows workstations, a Linux
// server (the third) and a Mac (the fifth).
func cloudFleet(n int) []SensorSpec {
	fleet := make([]SensorSpec, n)
	for i := range fleet {
		fleet[i].OS = osWindows
		fleet[i].Group = "Standard"
		switch (i + 1) % 5 {
		case 3:
			fleet[i].OS = osLinux
		case 0:
			fleet[i].OS = osMac
		}
	}
	return fleet
}

// cloudBehaviour is how the engine behind the façade behaves.
func cloudBehaviour() *behaviour {
	as, _ := newBehaviour(defaultVersion, Quirks{"cancel-status": "cancelled", "unsupported-command": "400"})
	return as
}

func newCloud(s *Server) *cloud {
	c := &cloud{srv: s, quarantines: map[int]bool{}, jobs: map[string]*cloudJob{}, lastJob: 666665}
	c.quirks, _ = newCloudQuirks(s.cfg.Quirks) // validated by Config.Validate
	c.rate = newRateLimit(c.quirks["rate"], s.clock)
	return c
}

// begin gives the simulation the alerts that it starts with.
func (c *cloud) begin() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.raiseFirstAlerts()
}

// is reports whether a quirk has a value. Asking for a quirk that does not exist
// is a mistake of this package.
func (c *cloud) is(name, value string) bool {
	v, ok := c.quirks[name]
	if !ok {
		panic("edrsim: no quirk " + name)
	}
	return v == value
}

func (c *cloud) duration(name string) time.Duration {
	d, _ := time.ParseDuration(c.quirks[name]) // validated
	return d
}

// routes is the whole API.
func (c *cloud) routes() *http.ServeMux {
	s := c.srv
	mux := http.NewServeMux()
	api := func(method, path string, f endpointFunc) { mux.Handle(method+" "+path, s.answer(c.inOrg(f))) }
	const app = "/appservices/v6/orgs/{org}"
	c.deviceRoutes(func(method, path string, f endpointFunc) { api(method, app+path, f) })
	c.sessionRoutes(func(method, path string, f endpointFunc) { api(method, app+"/liveresponse"+path, f) })
	c.overrideRoutes(func(method, path string, f endpointFunc) { api(method, app+"/reputations/overrides"+path, f) })
	c.alertRoutes(func(method, path string, f endpointFunc) { api(method, "/api/alerts/v7/orgs/{org}/alerts"+path, f) })
	c.jobRoutes(func(method, path string, f endpointFunc) { api(method, "/jobs/v1/orgs/{org}/jobs"+path, f) })
	mux.Handle("/integrationServices/v3/", s.answer(func(http.ResponseWriter, *http.Request) error {
		return &cloudError{http.StatusGone, "GONE", "The v3 API has been removed", nil}
	}))
	mux.Handle("/", s.answer(func(_ http.ResponseWriter, r *http.Request) error {
		return notFound("No route for " + r.Method + " " + r.URL.Path)
	}))
	s.controlRoutes(mux)
	return mux
}

// inOrg lets only requests of the simulated organisation through.
func (c *cloud) inOrg(f endpointFunc) endpointFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if org := r.PathValue("org"); org != c.srv.cfg.OrgKey {
			return &cloudError{http.StatusNotFound, "NOT_FOUND", "Unknown org_id: " + org, object{"org_id": org}}
		}
		if err := c.permitted(r); err != nil {
			return err
		}
		return f(w, r)
	}
}

// A cloudError is an answer that is no success, in JSON.
type cloudError struct {
	status  int
	code    string
	message string
	more    object
}

func (e *cloudError) Error() string { return e.message }

func notFound(message string) error {
	return &cloudError{http.StatusNotFound, "NOT_FOUND", message, nil}
}

func invalid(format string, args ...any) error {
	return &cloudError{http.StatusBadRequest, "INVALID_REQUEST", fmt.Sprintf(format, args...), nil}
}

// notOneOf refuses a word as the real server does, with the known ones.
func notOneOf(field, value string, known ...string) error {
	return &cloudError{http.StatusBadRequest, "INVALID_ENUM_VALUE", fmt.Sprintf("%q is no value of %s", value, field), object{"field": field, "known_values": known}}
}

// asCloudError gives an error of the engine the form of this API.
func asCloudError(err error) *cloudError {
	var own *cloudError
	var engine *apiError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &engine) && engine.status == http.StatusNotFound:
		return &cloudError{engine.status, "NOT_FOUND", engine.text, nil}
	case errors.As(err, &engine):
		return &cloudError{engine.status, "INVALID_REQUEST", engine.text, nil}
	}
	return &cloudError{http.StatusInternalServerError, "INTERNAL_ERROR", err.Error(), nil}
}

func writeCloudError(w http.ResponseWriter, e *cloudError) {
	body := object{"error_code": e.code, "message": e.message}
	for k, v := range e.more {
		body[k] = v
	}
	b, _ := json.Marshal(body) // text and lists of text
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(e.status)
	w.Write(b)
}

// replyStatus answers with JSON and a status other than 200.
func (c *cloud) replyStatus(w http.ResponseWriter, r *http.Request, status int, v any) error {
	return c.srv.reply(&statusWriter{ResponseWriter: w, status: status}, r, v)
}

// statusWriter writes its status before the first byte of a body.
type statusWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.begun = true
		w.ResponseWriter.WriteHeader(w.status)
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) truncate(body []byte) []byte {
	if t, ok := w.ResponseWriter.(interface{ truncate([]byte) []byte }); ok {
		return t.truncate(body)
	}
	return body
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// limitRate refuses a request beyond the limit of its source address.
func (c *cloud) limitRate(w http.ResponseWriter, r *http.Request) bool {
	after, limited := c.rate.refuse(r.RemoteAddr)
	if !limited {
		return false
	}
	w.Header().Set("Retry-After", fmt.Sprint(after))
	writeCloudError(w, &cloudError{http.StatusTooManyRequests, "RATE_LIMITED", "Too many requests", nil})
	return true
}

// uuid is the next generated id, reproducible from the seed.
func (c *cloud) uuid() string {
	c.lastNumber++
	return uuidOf(mix(c.srv.cfg.Seed, 21), uint64(c.lastNumber))
}

func uuidOf(a, b uint64) string {
	h, l := mix(a, b), mix(b, a)
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", h>>32, h>>16&0xffff, h&0xfff, l>>52, l&(1<<48-1))
}

// cloudTime is a time as nearly all of the API writes it: the fraction is always there.
func cloudTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// envelope wraps a list as the quirk has it.
func (c *cloud) envelope(list any, n int) any {
	if c.is("list-envelope", "results") {
		return object{"results": list, "num_found": n}
	}
	return list
}

// oneOf reports whether list has s, case ignored.
func oneOf(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}
