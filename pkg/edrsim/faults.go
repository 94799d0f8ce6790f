package edrsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"edrpipe/internal/nearest"
)

// Faults are the rates, 0 to 1, at which requests go wrong, by name. See AllFaults.
type Faults map[string]float64

// Set adds one fault, checked.
func (f Faults) Set(name string, rate float64) error {
	if err := (Faults{name: rate}).validate(); err != nil {
		return err
	}
	f[name] = rate
	return nil
}

// A Fault is a way in which a request can go wrong.
type Fault struct {
	Name string
	Doc  string
}

// AllFaults lists every fault.
func AllFaults() []Fault { return slices.Clone(faultTable) }

var faultTable = []Fault{
	{"429", "Answered 429 with Retry-After: 1 before anything is executed."},
	{"500", "Answered 500 before anything is executed."},
	{"502", "Answered 502 before anything is executed."},
	{"503", "Answered 503 before anything is executed."},
	{"504", "Answered 504 before anything is executed."},
	{"error-message", "Answered 200 with a JSON errorMessage, which is an error; not executed."},
	{"hang", "Not answered until the client gives up, or two minutes have passed; not executed."},
	{"lost-answer", "Executed, but the answer is lost: the connection is reset or the proxy answers 504."},
	{"reset", "Executed, but the connection is reset, or just ends, in the middle of the answer's body."},
	{"session-drop", "The session that the request is about times out, its running command with it, just before."},
	{"slow", "Executed, but the answer trickles in byte by byte."},
	{"truncated", "Executed, but the JSON of the answer ends in its middle."},
}

func (f Faults) validate() error {
	sum := 0.0
	for name, rate := range f {
		if !slices.ContainsFunc(faultTable, func(x Fault) bool { return x.Name == name }) {
			return unknownName("fault", name, faultNames())
		}
		if !(rate >= 0 && rate <= 1) {
			return fmt.Errorf("fault %s: rate %v is not between 0 and 1", name, rate)
		}
		sum += rate
	}
	if sum > 1 {
		return fmt.Errorf("faults: the rates add up to %v, more than 1", sum)
	}
	return nil
}

func faultNames() []string {
	names := make([]string, len(faultTable))
	for i, f := range faultTable {
		names[i] = f.Name
	}
	return names
}

// unknownName refuses a name, with the one that may have been meant.
func unknownName(what, name string, known []string) error {
	hint := ""
	if near := nearest.Word(name, known); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("no %s is named %q%s; there are %s", what, name, hint, strings.Join(known, ", "))
}

// A faultInjector decides which requests go wrong. The n-th request for a path
// always meets the same fate under a seed, however requests are interleaved.
type faultInjector struct {
	seed uint64

	mu    sync.Mutex
	rates Faults
	seen  map[string]uint64 // requests by method and path
	next  []plannedFault
}

// A plannedFault hits the next request of a kind.
type plannedFault struct{ name, method, part string }

// maxSeen bounds the paths that are counted; then counting starts anew.
const maxSeen = 1 << 16

func newFaultInjector(rates Faults, seed uint64) *faultInjector {
	return &faultInjector{seed: mix(seed, 11), rates: maps.Clone(rates), seen: map[string]uint64{}}
}

// current copies the rates.
func (f *faultInjector) current() Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	rates := Faults{}
	maps.Copy(rates, f.rates)
	return rates
}

// SetFaults changes the rates. Faults that are not named do not happen any more.
func (s *Server) SetFaults(f Faults) error {
	if err := f.validate(); err != nil {
		return err
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rates = maps.Clone(f)
	return nil
}

// FailNext lets the next request with the method ("" is any) whose path contains
// part meet the named fault.
func (s *Server) FailNext(name, method, part string) error {
	if err := (Faults{name: 1}).validate(); err != nil {
		return err
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.next = append(s.faults.next, plannedFault{name, method, part})
	return nil
}

// pick decides on one request; "" lets it pass. h varies what is left open.
func (f *faultInjector) pick(r *http.Request) (name string, h uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range f.next {
		if (p.method == "" || p.method == r.Method) && strings.Contains(r.URL.Path, p.part) {
			f.next = slices.Delete(f.next, i, i+1)
			return p.name, mix(f.seed, uint64(i))
		}
	}
	if len(f.rates) == 0 {
		return "", 0
	}
	if len(f.seen) >= maxSeen {
		clear(f.seen)
	}
	path := r.Method + " " + r.URL.Path
	f.seen[path]++
	h = mix(mixString(f.seed, path), f.seen[path])
	u := fraction(h)
	for _, fault := range faultTable {
		rate := f.rates[fault.Name]
		if u < rate {
			return fault.Name, mix(h, 1)
		}
		u -= rate
	}
	return "", 0
}

// serve passes a request on, or lets it go wrong.
func (f *faultInjector) serve(s *Server, w http.ResponseWriter, r *http.Request, pattern string) {
	name, h := f.pick(r)
	if name == "session-drop" && !s.dropSession(r.URL.Path) {
		name = ""
	}
	if name != "" {
		s.counters.fault(name)
	}
	switch name {
	case "429":
		w.Header().Set("Retry-After", "1")
		refuseRequest(w, http.StatusTooManyRequests)
	case "500", "502", "503", "504":
		refuseRequest(w, statusCode(name))
	case "error-message":
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, `{"errorMessage": "Internal error"}`)
	case "hang":
		const patience = 2 * time.Minute
		sleepReal(r, patience)
		refuseRequest(w, http.StatusGatewayTimeout)
	case "lost-answer":
		s.mux.ServeHTTP(&lostWriter{header: http.Header{}}, r)
		if h%2 == 0 {
			refuseRequest(w, http.StatusGatewayTimeout)
			return
		}
		hangUp(w)
	case "reset":
		s.mux.ServeHTTP(&resetWriter{ResponseWriter: w, h: h, left: -1}, r)
		hangUp(w)
	case "slow":
		s.mux.ServeHTTP(&slowWriter{ResponseWriter: w, r: r}, r)
	case "truncated":
		s.mux.ServeHTTP(&truncatedWriter{w, h}, r)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

func refuseRequest(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprint(w, gatewayPage(status))
}

// dropSession times the session out that a path names.
func (s *Server) dropSession(path string) bool {
	if s.cloud != nil {
		return s.cloud.dropSession(path)
	}
	_, rest, ok := strings.Cut(path, "/cblr/session/")
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	id, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.session(id)
	if err != nil || x.status != sessionActive {
		return false
	}
	x.end(sessionTimeout, s.clock.now())
	s.notify()
	return true
}
