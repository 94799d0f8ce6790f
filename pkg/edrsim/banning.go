package edrsim

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A ban is a hash on the banning list.
type ban struct {
	MD5          string     `json:"md5hash"`
	Text         *string    `json:"text,omitempty"`
	Enabled      bool       `json:"enabled"`
	Username     string     `json:"username"`
	UserID       int        `json:"user_id"`
	Timestamp    string     `json:"timestamp"`
	BlockCount   int        `json:"block_count"`
	LastBlock    *string    `json:"last_block_time"`
	LastSensor   *int       `json:"last_block_sensor_id"`
	LastHostname *string    `json:"last_block_hostname"`
	Audit        []banAudit `json:"audit"`
}

// banAudit is who changed a ban, and to what.
type banAudit struct {
	Username  string  `json:"username"`
	UserID    int     `json:"user_id"`
	Timestamp string  `json:"timestamp"`
	Text      *string `json:"text"`
	Enabled   bool    `json:"enabled"`
}

// banRequest is the body of a POST or PUT. Clients send more, which only the
// server decides.
type banRequest struct {
	MD5     string  `json:"md5hash"`
	Text    *string `json:"text"`
	Enabled *flag   `json:"enabled"`
}

const defaultBanCount = 500

func (s *Server) listBans(w http.ResponseWriter, r *http.Request) error {
	count := queryInt(r.URL.Query().Get("count"), defaultBanCount)
	s.mu.Lock()
	list := make([]ban, 0, len(s.bans))
	for _, b := range s.bans {
		list = append(list, *b)
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b ban) int { return cmp.Compare(a.MD5, b.MD5) })
	return s.reply(w, r, list[:min(count, len(list))])
}

func (s *Server) postBan(w http.ResponseWriter, r *http.Request) error {
	var req banRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	md5, err := checkMD5(req.MD5)
	if err != nil {
		return badRequest(err)
	}
	if err := s.unlicensed(); err != nil {
		return err
	}
	s.mu.Lock()
	b := s.bans[md5]
	if b == nil {
		b = &ban{MD5: md5, Audit: []banAudit{}}
		s.bans[md5] = b
	}
	on := flag(true)
	s.setBan(b, req.Text, cmp.Or(req.Enabled, &on))
	s.mu.Unlock()
	return s.reply(w, r, map[string]string{"result": "success"})
}

// setBan changes a ban and records who did. Callers hold mu.
func (s *Server) setBan(b *ban, text *string, enabled *flag) {
	if text != nil {
		b.Text = text
	}
	if enabled != nil {
		b.Enabled = bool(*enabled)
	}
	b.Username, b.UserID = s.cfg.Username, 1
	b.Timestamp = stamp(s.clock.now(), s.as.location())
	b.Audit = append(slices.Clip(b.Audit), banAudit{b.Username, b.UserID, b.Timestamp, b.Text, b.Enabled})
}

// withBan answers with what f makes of the ban that a request names.
func (s *Server) withBan(w http.ResponseWriter, r *http.Request, f func(*ban) any) error {
	md5 := strings.ToLower(r.PathValue("md5"))
	s.mu.Lock()
	b := s.bans[md5]
	if b == nil {
		s.mu.Unlock()
		return &apiError{http.StatusNotFound, fmt.Sprintf("Blacklisted md5 hash %s does not exist", md5)}
	}
	v := f(b)
	s.mu.Unlock()
	return s.reply(w, r, v)
}

func (s *Server) getBan(w http.ResponseWriter, r *http.Request) error {
	return s.withBan(w, r, func(b *ban) any { return *b })
}

func (s *Server) putBan(w http.ResponseWriter, r *http.Request) error {
	var req banRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	return s.withBan(w, r, func(b *ban) any {
		s.setBan(b, req.Text, req.Enabled)
		return map[string]string{"result": "success"}
	})
}

// deleteBan disables: the record stays, without its text.
func (s *Server) deleteBan(w http.ResponseWriter, r *http.Request) error {
	return s.withBan(w, r, func(b *ban) any {
		off := flag(false)
		b.Text = nil
		s.setBan(b, nil, &off)
		return map[string]string{"result": "success"}
	})
}

// Banned reports whether a hash is on the banning list and enabled.
func (s *Server) Banned(md5 string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bans[strings.ToLower(md5)]
	return b != nil && b.Enabled
}

func checkMD5(s string) (string, error) {
	s = strings.ToLower(s)
	if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" {
		return "", errors.New("md5hash: 32 hexadecimal characters are required")
	}
	return s, nil
}
