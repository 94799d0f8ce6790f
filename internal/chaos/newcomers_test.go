//go:build linux

package chaos

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// newcomers are endpoints whose records the server withholds for a while after their
// first event: no list has them, and a request for the record of one fails. They come after the others by number; the first half is in the
// group of which the rule on facts speaks, the second is not. The zero value has none.
type newcomers struct {
	first, count int // by number in the simulation
	device       int // what is added to a number for an id

	mu    sync.Mutex
	taken map[kind]int
	until map[int]time.Time // when the record may be told; none: the endpoint has not spoken yet
	told  map[int]time.Time // when the record was told for the first time
	early []int             // those on which a session was opened before
}

func (n *newcomers) has(sensor int) bool { return sensor >= n.first && sensor < n.first+n.count }

// next is the number of one that has not spoken yet, for an event that needs the fact;
// 0: there is none left.
func (n *newcomers) next(k kind) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	i, half := n.taken[k], n.count/2
	if i >= half {
		return 0
	}
	if n.taken == nil {
		n.taken = map[kind]int{}
	}
	n.taken[k]++
	if k == spared {
		i += half
	}
	return n.first + i
}

// tell has the record of one be told from then on; of others than newcomers it is.
func (n *newcomers) tell(sensor int, from time.Time) {
	if !n.has(sensor) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.until == nil {
		n.until, n.told = map[int]time.Time{}, map[int]time.Time{}
	}
	n.until[sensor] = from
}

// withheld reports whether the record of an id is not told yet, and the endpoint's number.
func (n *newcomers) withheld(id int, now time.Time) (int, bool) {
	sensor := id - n.device
	if !n.has(sensor) {
		return sensor, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	from, spoke := n.until[sensor]
	return sensor, !spoke || now.Before(from)
}

// record answers a request for the records of endpoints as the simulation does, without
// those of newcomers that are not told yet.
func (n *newcomers) record(w http.ResponseWriter, r *http.Request, next http.Handler) {
	id, err := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	now := time.Now()
	sensor, withheld := n.withheld(id, now)
	if err == nil && withheld {
		http.Error(w, "the record is not there yet", http.StatusServiceUnavailable)
		return
	}
	r.Header.Del("Accept-Encoding") // the answer is read here
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	body := rec.Body.Bytes()
	switch {
	case rec.Code != http.StatusOK:
	case err == nil:
		n.note(sensor)
	default:
		body = n.without(body, now)
	}
	for name, values := range rec.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body)
}

// without is a list of records, bare or as results, without those that are withheld.
func (n *newcomers) without(list []byte, now time.Time) []byte {
	var page map[string]json.RawMessage
	records := list
	paged := json.Unmarshal(list, &page) == nil
	if paged {
		records = page["results"]
	}
	var all []json.RawMessage
	if json.Unmarshal(records, &all) != nil {
		return list // no list, or one that a fault has cut
	}
	all = slices.DeleteFunc(all, func(record json.RawMessage) bool {
		var of struct{ ID int }
		if json.Unmarshal(record, &of) != nil {
			return false
		}
		sensor, withheld := n.withheld(of.ID, now)
		if !withheld {
			n.note(sensor)
		}
		return withheld
	})
	made, err := json.Marshal(all)
	if err == nil && paged {
		page["results"] = made
		made, err = json.Marshal(page)
	}
	if err != nil {
		return nil
	}
	return made
}

// note notes that the record of an endpoint was told.
func (n *newcomers) note(sensor int) {
	if !n.has(sensor) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told[sensor].IsZero() {
		n.told[sensor] = time.Now()
	}
}

// session notes a session that is opened on an endpoint whose record was not told yet.
func (n *newcomers) session(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var of struct {
		Sensor int `json:"sensor_id"`
		Device int `json:"device_id"`
	}
	if err != nil || json.Unmarshal(body, &of) != nil {
		return
	}
	sensor := max(of.Sensor, of.Device) - n.device
	if !n.has(sensor) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told[sensor].IsZero() {
		n.early = append(n.early, sensor)
	}
}

// begun are those on which something was begun too early.
func (n *newcomers) begun() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.early)
}
