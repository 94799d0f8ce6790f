package binaries

import (
	"container/list"
	"strings"
	"sync"

	"edrpipe/pkg/events"
)

// Record is what is known of a binary.
type Record struct {
	MD5    string           `json:"md5,omitempty"`
	SHA256 string           `json:"sha256,omitempty"`
	Image  events.ImageInfo `json:"image"`
}

// key is the hash by which a record is written.
func (r *Record) key() string {
	if r.MD5 != "" {
		return r.MD5
	}
	return r.SHA256
}

// overhead of a record in memory, beside its texts.
const overhead = 400

func (r *Record) size() int {
	i := &r.Image
	return overhead + len(r.MD5) + len(r.SHA256) + len(i.OriginalName) + len(i.Description) + len(i.Product) + len(i.Company) + len(i.Publisher) + len(i.SignResult)
}

// clone copies the texts, which may be parts of a message.
func (r Record) clone() Record {
	i := &r.Image
	for _, text := range []*string{&r.MD5, &r.SHA256, &i.OriginalName, &i.Description, &i.Product, &i.Company, &i.Publisher, &i.SignResult} {
		*text = strings.Clone(*text)
	}
	return r
}

// memory is records by either hash, bounded in bytes: the oldest go first.
type memory struct {
	max int

	mu     sync.RWMutex
	byHash map[string]*list.Element // guarded by mu; of *Record
	order  *list.List               // guarded by mu; the oldest in front
	bytes  int                      // guarded by mu
}

func newMemory(max int) *memory {
	return &memory{max: max, byHash: map[string]*list.Element{}, order: list.New()}
}

// find returns the image with either of the hashes; empty ones are none.
func (m *memory) find(md5, sha256 string) (events.ImageInfo, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, hash := range [...]string{md5, sha256} {
		if at := m.byHash[hash]; hash != "" && at != nil {
			return at.Value.(*Record).Image, true
		}
	}
	return events.ImageInfo{}, false
}

// put keeps a record and reports whether it says something new.
func (m *memory) put(r Record) (isNew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := m.byHash[r.key()]; at != nil {
		old := at.Value.(*Record)
		if r.MD5 == "" {
			r.MD5 = old.MD5
		}
		if r.SHA256 == "" {
			r.SHA256 = old.SHA256
		}
		if *old == r {
			return false
		}
		m.drop(at)
	}
	r = r.clone()
	at := m.order.PushBack(&r)
	m.bytes += r.size()
	for _, hash := range [...]string{r.MD5, r.SHA256} {
		if hash != "" {
			if other := m.byHash[hash]; other != nil {
				m.drop(other)
			}
			m.byHash[hash] = at
		}
	}
	for m.bytes > m.max && m.order.Len() > 1 {
		m.drop(m.order.Front())
	}
	return true
}

// drop forgets a record. m.mu is held.
func (m *memory) drop(at *list.Element) {
	r := m.order.Remove(at).(*Record)
	m.bytes -= r.size()
	for _, hash := range [...]string{r.MD5, r.SHA256} {
		if m.byHash[hash] == at {
			delete(m.byHash, hash)
		}
	}
}

// size returns the number of records and their bytes.
func (m *memory) size() (records, bytes int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.order.Len(), m.bytes
}
