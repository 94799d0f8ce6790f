package web

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// sessions remembers the logins that ended before their time. Its size is bounded
// by the logins of sessionLife.
type sessions struct {
	mu    sync.Mutex
	ended map[string]time.Time // login's id → when its cookie ends by itself
}

// end ends a login at once.
func (s *sessions) end(l login, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = map[string]time.Time{}
	}
	for id, until := range s.ended {
		if now.After(until) {
			delete(s.ended, id)
		}
	}
	s.ended[l.ID] = l.Until
}

// has reports whether a login was ended.
func (s *sessions) has(l login) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ended := s.ended[l.ID]
	return ended
}

// digest changes with everything that the users file says of the user, so that a
// login of before a change is no login any more.
func (u User) digest() string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{u.Name, string(u.Role), u.Token, u.Email, strings.Join(u.Tenants, "\x01")}, u.Groups...), "\x00")))
	return hex.EncodeToString(sum[:12])
}
